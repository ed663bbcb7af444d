"""One schema, answered: the room where operations against our own schema run."""
