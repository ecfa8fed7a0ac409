"""How long an SDK's look at a job takes: until its end, for a while; nobody else waits."""

import io
import json
import time
from datetime import UTC, datetime, timedelta

import pytest

from sagedock.local.records import Kind
from sagedock.server.messages import Headers, Request
from sagedock.server.services.patience import PatientService, asking, manner_of
from sagedock.server.services.sagemaker import translated

V2 = "Boto3/1.44.5 md/Botocore#1.44.5 lib/AWS-SageMaker-Python-SDK#2.257.7"
V3 = "Boto3/1.44.5 md/Botocore#1.44.5 lib/AWS-SageMaker-Python-SDK#3.27.0"
BOTO = (
    "Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 lang/python#3.11.7 m/g,Z,E,N,b cfg/retry-mode#standard"
)
WAITER = BOTO.replace("m/g,Z", "m/g,B,Z")
CLI = "aws-cli/1.46.3 md/Botocore#1.43.62 ua/2.1 m/N,b,B,Z,D,g cfg/retry-mode#legacy"


class Job:
    """A training job that was made `age` seconds ago and ends `left` seconds from now."""

    def __init__(self, age: float, left: float) -> None:
        self.created = datetime.now(UTC) - timedelta(seconds=age)
        self.end = time.monotonic() + left

    def describe(self, params):
        done = time.monotonic() >= self.end
        return {
            "TrainingJobName": params["TrainingJobName"],
            "TrainingJobStatus": "Completed" if done else "InProgress",
            "CreationTime": self.created,
        }


def looked_at(job, agent):
    """The status that a client is told."""
    names = (*(f"{kind.capitalize()}Job" for kind in Kind), "Endpoint")
    operations = {f"Describe{name}": job.describe for name in names}
    service = PatientService("sagemaker", operations, translate=translated)
    body = json.dumps({"TrainingJobName": "job"}).encode()
    request = Request(
        method="POST",
        path="/",
        query="",
        headers=Headers(
            {"X-Amz-Target": "SageMaker.DescribeTrainingJob", "User-Agent": agent}.items()
        ),
        body=io.BytesIO(body),
        size=len(body),
        host="127.0.0.1",
        scheme="http",
        peer="127.0.0.1",
    )
    return json.loads(service(request).body)["TrainingJobStatus"]


@pytest.mark.parametrize(("agent", "age"), [(V2, 5), (V2, 11), (V3, 1), (WAITER, 90), (CLI, 0)])
def test_who_looks_seldom_is_answered_at_the_end(agent, age):
    assert looked_at(Job(age, 0.2), agent) == "Completed"


@pytest.mark.parametrize(("agent", "age"), [(V2, 40), (V3, 10), (BOTO, 1), ("", 1)])
def test_any_other_look_is_answered_at_once(agent, age):
    assert looked_at(Job(age, 5), agent) == "InProgress"


def test_who_sleeps_before_looking_is_known():
    assert manner_of(V2).sleeps_first
    assert not manner_of(V3).sleeps_first
    looked_at(Job(0, 0), V2)
    assert asking().sleeps_first
    looked_at(Job(0, 0), BOTO)
    assert not asking().sleeps_first
