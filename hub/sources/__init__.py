"""Who holds what: which sources are joined, which are asked for what, and what they say together."""
