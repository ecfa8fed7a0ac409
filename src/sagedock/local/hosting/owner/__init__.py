"""What the process that keeps an endpoint does: instances, updates, work in the background."""
