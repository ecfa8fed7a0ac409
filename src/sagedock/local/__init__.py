"""The local SageMaker: the service's API over real containers. Must not know HTTP or terminals."""
