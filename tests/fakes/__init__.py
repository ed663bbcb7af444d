"""Fakes, written like products."""
