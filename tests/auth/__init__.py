"""The gate: tokens, keys and the development identity."""
