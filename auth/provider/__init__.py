"""We are the identity provider: one file an endpoint, on Authlib's framework-free server."""
