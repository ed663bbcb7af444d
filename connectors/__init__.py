"""The tongues: one protocol a file; they know no GraphQL."""
