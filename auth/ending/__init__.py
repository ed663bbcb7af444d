"""Signing out: everywhere at once; every application and every provider of a sign-on hears of its end."""
