"""The hub over HTTP: GraphQL, the query page, the schema as text, probes."""
