"""A run at a tracking server of SageMaker's, by its ARN, with the credentials of a session."""

import sys

import boto3
import mlflow

from sagedock.launch.tracking.facts import Facts, Point
from sagedock.launch.tracking.runs import MlflowRuns, require

arn = "arn:aws:sagemaker:us-east-1:000000000000:mlflow-tracking-server/ours"
require(arn)
key = {"aws_access_key_id": sys.argv[1], "aws_secret_access_key": "secret"}
runs = MlflowRuns(arn, "managed", patience=120, boto_session=boto3.Session(**key))
point = Point(name="loss", value=0.5, timestamp=1, step=0)
run = runs.begin("forest", Facts(parameters={"n": "50"}, tags={"a": "b"}), None)
runs.add(run, Facts(parameters={}, tags={}, points=[point], status="FINISHED"))
print("run", run)
print("set", mlflow.is_tracking_uri_set())
