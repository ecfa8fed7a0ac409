"""Answers in the service's own form: every member known to botocore's model, of the right type,
and nothing missing that the model requires."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.model import Shape

from sagedock import requests
from sagedock.local.describe import describe, summary
from sagedock.local.records import Job, JobState, Kind, Metric, Status, Transition

ROLE = "arn:aws:iam::123456789012:role/R"
TRAINING = requests.training_request(
    job_name="job", image_uri="image", role=ROLE, instance_type="ml.m5.large",
    output_uri="s3://bucket/out", channels=[requests.channel("train", "s3://bucket/t")],
    hyperparameters={"eta": "1"}, environment={"A": "b"}, network_isolation=True,
    metric_definitions=[{"Name": "m", "Regex": "(.)"}], tags=[{"Key": "k", "Value": "v"}],
)  # fmt: skip
PROCESSING = requests.processing_request(
    job_name="job", image_uri="image", role=ROLE, instance_type="ml.m5.large", max_run=60,
    inputs=[requests.processing_input("in", "s3://b/i", "/opt/ml/processing/in")],
    outputs=[requests.processing_output("out", "s3://b/o", "/opt/ml/processing/out")],
    environment={"A": "b"}, network_isolation=True,
)  # fmt: skip
BORN = JobState(modified=1.0, transitions=(Transition(status="Pending", message="m", started=1.0),))
RUNS = replace(BORN.enter("Training", "m", 2.0), started=2.0, modified=2.0)
DONE = replace(
    RUNS.enter("Completed", "m", 9.0), status=Status.COMPLETED, ended=9.0, exit_code=0,
    metrics=(Metric(name="m", value=0.5, timestamp=3.25),), exit_message="fine",
    model_artifacts="s3://bucket/out/job/output/model.tar.gz",
)  # fmt: skip
FAILED = replace(
    RUNS.enter("Failed", "m", 9.0), status=Status.FAILED, ended=2.1, failure_reason="why"
)
EARLY = replace(BORN.enter("Failed", "m", 9.0), status=Status.FAILED, ended=9.0)
STOPPING = replace(RUNS.enter("Stopping", "m", 5.0), status=Status.STOPPING)

STATES = {"born": BORN, "runs": RUNS, "done": DONE, "failed": FAILED, "early": EARLY,
          "stopping": STOPPING}  # fmt: skip


TRANSFORM = requests.transform_request(
    job_name="one", model_name="m", data_uri="s3://b/in", output_uri="s3://b/out",
    instance_type="ml.m5.large",
)  # fmt: skip

REQUESTS = {Kind.TRAINING: TRAINING, Kind.PROCESSING: PROCESSING, Kind.TRANSFORM: TRANSFORM}


def job(kind: Kind, state: JobState, request: dict[str, Any] | None = None) -> Job:
    chosen = request or REQUESTS[kind]
    arn = f"arn:aws:sagemaker:eu-west-1:123456789012:{kind}-job/job"
    return Job(kind=kind, name="job", arn=arn, created=1.0, request=chosen, state=state)


TYPES = {
    "string": str, "integer": int, "long": int, "float": float, "double": float, "boolean": bool,
    "timestamp": datetime, "structure": dict, "map": dict, "list": list,
}  # fmt: skip


def departures(value: Any, shape: Shape, path: str = "answer") -> Iterator[str]:
    """How `value` departs from the model."""
    expected = TYPES[shape.type_name]
    right = isinstance(value, expected) and (isinstance(value, bool) == (expected is bool))
    if not right:
        yield f"{path} is {value!r}: not {shape.type_name}"
        return
    if shape.type_name == "structure":
        known = shape.members  # type: ignore[attr-defined]
        yield from (f"{path} lacks {name}" for name in shape.required_members if name not in value)  # type: ignore[attr-defined]
        for name, member in value.items():
            if name not in known:
                yield f"{path}.{name} is unknown"
            else:
                yield from departures(member, known[name], f"{path}.{name}")
    elif shape.type_name == "list":
        for item in value:
            yield from departures(item, shape.member, f"{path}[]")  # type: ignore[attr-defined]
    elif shape.type_name == "map":
        for item in value.values():
            yield from departures(item, shape.value, f"{path}{{}}")  # type: ignore[attr-defined]
    elif shape.type_name == "timestamp" and value.tzinfo is None:
        yield f"{path} has no time zone"
    yield from requests._violations(value, shape, path) if shape.type_name != "structure" else ()


def output_of(operation: str) -> Shape:
    shape = requests.service_model().operation_model(operation).output_shape
    assert shape
    return shape


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
@pytest.mark.parametrize("kind", list(Kind))
def test_descriptions_are_what_the_model_says(kind, state):
    operation = f"Describe{kind.capitalize()}Job"
    assert list(departures(describe(job(kind, state)), output_of(operation))) == []


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
@pytest.mark.parametrize("kind", list(Kind))
def test_summaries_are_what_the_model_says(kind, state):
    member = f"{kind.capitalize()}JobSummaries"
    answer = {member: [summary(job(kind, state))]}
    assert list(departures(answer, output_of(f"List{kind.capitalize()}Jobs"))) == []


def test_the_least_request_is_described_too():
    request = {
        "TrainingJobName": "job",
        "AlgorithmSpecification": {"TrainingImage": "i", "TrainingInputMode": "File"},
        "RoleArn": ROLE,
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
        "ResourceConfig": {
            "InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1,
        },
    }  # fmt: skip
    answer = describe(job(Kind.TRAINING, BORN, request))
    assert list(departures(answer, output_of("DescribeTrainingJob"))) == []
    assert answer["StoppingCondition"] == {"MaxRuntimeInSeconds": 86400}


def test_a_finished_training_job():
    answer = describe(job(Kind.TRAINING, DONE))
    assert (answer["TrainingJobStatus"], answer["SecondaryStatus"]) == ("Completed", "Completed")
    assert answer["TrainingTimeInSeconds"] == 7
    assert answer["FinalMetricDataList"] == [
        {"MetricName": "m", "Value": 0.5, "Timestamp": datetime.fromtimestamp(3.25, UTC)}
    ]
    steps = answer["SecondaryStatusTransitions"]
    assert [step["Status"] for step in steps] == ["Pending", "Training", "Completed"]
    assert [step.get("EndTime") for step in steps[:2]] == [steps[1]["StartTime"],
                                                          steps[2]["StartTime"]]  # fmt: skip
    assert "FailureReason" not in answer
    assert answer["HyperParameters"] == {"eta": "1"}


def test_a_failed_job_says_why():
    assert describe(job(Kind.TRAINING, FAILED))["FailureReason"] == "why"
    assert describe(job(Kind.PROCESSING, FAILED))["FailureReason"] == "why"


def test_the_place_of_the_model_is_known_before_there_is_one():
    place = "s3://bucket/out/job/output/model.tar.gz"
    answer = describe(job(Kind.TRAINING, RUNS))
    assert answer["ModelArtifacts"] == {"S3ModelArtifacts": place}
    whole = {
        **TRAINING,
        "OutputDataConfig": {"S3OutputPath": "s3://bucket", "CompressionType": "NONE"},
    }
    answer = describe(job(Kind.TRAINING, RUNS, whole))
    assert answer["ModelArtifacts"] == {"S3ModelArtifacts": "s3://bucket/job/output/model/"}


def test_a_processing_job_shows_its_inputs_and_outputs():
    answer = describe(job(Kind.PROCESSING, DONE))
    assert answer["ProcessingInputs"] == PROCESSING["ProcessingInputs"]
    assert answer["ProcessingOutputConfig"] == PROCESSING["ProcessingOutputConfig"]
    assert answer["ExitMessage"] == "fine"


def test_tags_are_no_part_of_a_description():
    """The service has an operation of its own for them."""
    assert "Tags" not in describe(job(Kind.TRAINING, DONE))
