"""Stories about the world, told against the real thing."""
