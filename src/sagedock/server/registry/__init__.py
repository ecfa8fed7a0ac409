"""ECR's registry: a real one behind a front that has ECR's rules."""
