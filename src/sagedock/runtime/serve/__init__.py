"""The serving container: workers on one socket, a bare ASGI application, models without code.

Only the standard library is imported here and at the import of `main`, `master` and `settings`;
numpy, XGBoost and the HTTP server come in when a worker needs them.
"""
