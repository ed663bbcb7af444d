"""Stories about the catalogue."""
