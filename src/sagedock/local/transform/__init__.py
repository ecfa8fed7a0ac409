"""Batch transform: objects through a model's container and back (contract E)."""
