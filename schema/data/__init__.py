"""Code tables and region codes, shipped as data."""
