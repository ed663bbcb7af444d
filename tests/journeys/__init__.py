"""Journeys: whole stories over real sockets, as people live them."""
