"""What the hub remembers, and for whom."""
