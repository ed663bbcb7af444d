"""The meeting room: composes, asks, remembers, reports."""
