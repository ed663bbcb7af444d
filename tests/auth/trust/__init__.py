"""Trust chains, whole and broken."""
