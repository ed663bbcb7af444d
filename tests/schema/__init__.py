"""Stories about the words."""
