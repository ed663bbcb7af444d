"""The federation engine, on schemas of its own."""
