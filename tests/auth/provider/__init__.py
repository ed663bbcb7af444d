"""The provider, as its clients and attackers meet it."""
