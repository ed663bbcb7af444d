"""The federation engine: what subgraphs say, brought together by plain functions on plain values."""
