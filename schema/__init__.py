"""The words: what can be said between five levels of education systems."""
