"""XGBoost algorithm mode: what the built-in SageMaker XGBoost container (3.0-5) does, section H.

`train` is the story; the other modules each know one part of it. Only `matrices`, `boosting`,
`custom_metrics` and the readers touch numpy, pandas or xgboost, and only inside functions, so that
rules and messages can be tested without them. Nothing here knows how the process was started.
"""
