"""The words as plain values: no GraphQL, no HTTP, no database."""
