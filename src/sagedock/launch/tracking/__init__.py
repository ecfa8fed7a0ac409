"""Experiments in MLflow: parameters and metrics of jobs, here and on AWS, as runs of a server.

`facts.py` says purely what of a request and of a description goes there, `runs.py` speaks to
MLflow, `place.py` is a session whose jobs are tracked. A job is worth more than its track: what
goes wrong here is said, and never fails a job.
"""
