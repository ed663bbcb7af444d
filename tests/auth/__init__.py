"""The gate: tokens, keys, provider, broker, trust."""
