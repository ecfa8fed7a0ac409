"""Endpoints: models kept ready in containers, and called."""
