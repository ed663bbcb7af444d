"""Foreign implementations from npm that ours is proven against, each a real process."""
