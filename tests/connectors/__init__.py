"""The tongues, examined over real sockets."""
