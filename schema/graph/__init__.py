"""The same words as GraphQL."""
