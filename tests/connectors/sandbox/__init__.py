"""The sandbox country and its servers, seen from outside."""
