"""What a caller of an endpoint does in its own process: finds an instance, asks it, notes it."""
