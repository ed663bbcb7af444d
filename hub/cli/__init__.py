"""The hub for operators: one file a command."""
