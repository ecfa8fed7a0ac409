"""What of a job goes to MLflow, as values."""

from datetime import UTC, datetime

import pytest

from sagedock import requests
from sagedock.engine.plan import LogLine
from sagedock.launch.tracking.facts import Point, in_container, of_end, of_request
from sagedock.local.records import Kind

ARN = "arn:aws:sagemaker:us-east-1:000000000000:training-job/forest"
MOMENT = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
MILLISECONDS = 1_795_507_200_000
TRAINING = requests.training_request(
    job_name="forest",
    image_uri="sagedock/training",
    role="arn:aws:iam::000000000000:role/R",
    instance_type="ml.m5.large",
    output_uri="s3://b/models",
    hyperparameters={"n": "50", "odd+name": "x" * 7000, "sagemaker_program": "train.py"},
    channels=[requests.channel("train", "s3://b/train")],
    environment={"TOKEN": "secret"},
    tags=[{"Key": "team", "Value": "churn"}],
)


def test_a_training_request():
    facts = of_request(Kind.TRAINING, TRAINING)
    assert facts.parameters == {"n": "50", "odd_name": "x" * 6000}
    assert facts.tags == {
        "sagedock.kind": "training",
        "sagedock.job_name": "forest",
        "sagedock.image": "sagedock/training",
        "sagedock.instance_type": "ml.m5.large",
        "sagedock.instance_count": "1",
        "sagedock.input.train": "s3://b/train",
        "sagedock.output": "s3://b/models",
        "sagedock.tag.team": "churn",
    }
    assert facts.status is None
    assert "secret" not in str(facts)


def test_a_processing_request():
    request = requests.processing_request(
        job_name="tables",
        image_uri="sagedock/processing",
        role="r",
        instance_type="ml.m5.large",
        entrypoint=["python3", "/code/prepare.py"],
        arguments=["raw.csv", "--ratio", "0.2", "--fast", "--seed=7", "-v", "more"],
        inputs=[requests.processing_input("raw", "s3://b/raw", "/in")],
        outputs=[requests.processing_output("train", "s3://b/train", "/out")],
    )
    facts = of_request(Kind.PROCESSING, request)
    assert facts.parameters == {
        "ratio": "0.2", "fast": "", "seed": "7", "v": "more", "arguments": "raw.csv",
    }  # fmt: skip
    assert facts.tags["sagedock.entrypoint"] == "python3 /code/prepare.py"
    assert facts.tags["sagedock.input.raw"] == "s3://b/raw"
    assert facts.tags["sagedock.output.train"] == "s3://b/train"


def test_a_transform_request():
    request = requests.transform_request(
        job_name="scores",
        model_name="churn",
        data_uri="s3://b/rows",
        output_uri="s3://b/scores",
        instance_type="ml.m5.large",
        content_type="text/csv",
        split_type="Line",
        max_payload=0,
        processing={"InputFilter": "$[1:]"},
    )
    facts = of_request(Kind.TRANSFORM, request)
    assert facts.parameters == {
        "ContentType": "text/csv", "SplitType": "Line", "MaxPayloadInMB": "0",
        "InputFilter": "$[1:]",
    }  # fmt: skip
    assert facts.tags["sagedock.model"] == "churn"
    assert facts.tags["sagedock.output"] == "s3://b/scores"


def description(**more):
    return {
        "TrainingJobName": "forest",
        "TrainingJobArn": ARN,
        "TrainingJobStatus": "Completed",
        "TrainingEndTime": MOMENT,
        **more,
    }


def test_an_end_with_its_metrics():
    """Every value that the log has, in its order; a last value where the log is gone."""
    definitions = [{"Name": "validation:loss", "Regex": "loss=([0-9.]+)"}]
    last = {"MetricName": "accuracy", "Value": 0.9, "Timestamp": MOMENT}
    answer = description(
        AlgorithmSpecification={"MetricDefinitions": definitions},
        FinalMetricDataList=[last, {**last, "MetricName": "validation:loss", "Value": 0.25}],
        ModelArtifacts={"S3ModelArtifacts": "s3://b/forest/output/model.tar.gz"},
    )
    lines = [
        LogLine(stamp="2026-11-24T08:00:00.500000000Z", text="loss=0.5"),
        LogLine(stamp="2026-11-24T08:00:01Z", text="nothing"),
        LogLine(stamp="2026-11-24T08:00:02.000000000Z", text="loss=0.25"),
    ]
    facts = of_end(Kind.TRAINING, answer, lines)
    assert facts.points == [
        Point(name="validation:loss", value=0.5, timestamp=MILLISECONDS + 500, step=0),
        Point(name="validation:loss", value=0.25, timestamp=MILLISECONDS + 2000, step=1),
        Point(name="accuracy", value=0.9, timestamp=MILLISECONDS, step=0),
    ]
    assert (facts.status, facts.ended) == ("FINISHED", MILLISECONDS)
    assert facts.tags == {
        "sagedock.status": "Completed",
        "sagedock.job_arn": ARN,
        "sagedock.model": "s3://b/forest/output/model.tar.gz",
    }


@pytest.mark.parametrize(
    ("status", "theirs"), [("Failed", "FAILED"), ("Stopped", "KILLED"), ("InProgress", None)]
)
def test_statuses(status, theirs):
    answer = description(TrainingJobStatus=status, FailureReason="AlgorithmError: no")
    facts = of_end(Kind.TRAINING, answer)
    assert facts.status == theirs
    assert facts.tags["sagedock.failure_reason"] == "AlgorithmError: no"


@pytest.mark.parametrize(
    ("uri", "usable", "why"),
    [
        ("https://mlflow.example.com", True, ""),
        ("arn:aws:sagemaker:us-east-1:000000000000:mlflow-tracking-server/ours", True, ""),
        ("http://172.17.0.1:5000", True, ""),
        ("http://127.0.0.1:5000", False, "127.0.0.1 is the container itself there"),
        ("http://localhost:5000", False, "localhost is the container itself there"),
        ("sqlite:///mlflow.db", False, "sqlite:///mlflow.db is a store of this machine"),
        ("https://me:secret@mlflow.example.com", False,
         "its URI holds a password, and a job's variables can be read by others"),
    ],
)  # fmt: skip
def test_who_can_be_reached_from_a_container(uri, usable, why):
    assert in_container(uri, Kind.TRAINING) == (usable, why)


def test_a_server_of_a_transform_job_is_told_nothing():
    assert in_container("https://mlflow.example.com", Kind.TRANSFORM) == (False, "")
