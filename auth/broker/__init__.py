"""Others are the identity providers, and we trust them within bounds: one file a kind of upstream."""
