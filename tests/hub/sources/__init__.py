"""Stories of the rooms between sources and resolvers."""
