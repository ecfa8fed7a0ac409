"""Docker: the only room that imports `docker`. Knows containers; must not know SageMaker."""
