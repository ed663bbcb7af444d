"""The hub over HTTP: real sockets, hostile callers, and an innocent one beside them."""
