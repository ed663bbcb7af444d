"""The gate's store and way out, over the real thing."""
