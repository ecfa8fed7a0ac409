"""Our facades as the objects of SageMaker's own Python SDK, v2 or v3, with the same settings.

The request is the job: what an object of the SDK is given is read from the request that the facade
would make, member by member, by a table a kind (`v2.py`, `v3.py`). A member that is in no table is
refused, so that nothing is dropped in silence. Must not import `sagemaker` before it is asked for.
"""
