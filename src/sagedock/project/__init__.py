"""A user's project: what it needs on AWS. Called by the command line only."""
