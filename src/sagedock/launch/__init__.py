"""Estimator, ScriptProcessor and the session they share: thin facades that make requests.

Argument names are those people know from the SageMaker SDK v2. Must not know Docker.
"""
