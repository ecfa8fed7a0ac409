"""The rules of a SageMaker container, as data and pure functions. No I/O of any kind here."""
