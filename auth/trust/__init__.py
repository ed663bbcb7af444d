"""OpenID Federation 1.0: entity statements and trust chains along the five levels."""
