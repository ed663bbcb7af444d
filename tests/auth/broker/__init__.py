"""The broker, before honest and hostile providers."""
