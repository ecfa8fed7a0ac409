"""train, process, transform and serve with --aws, up to the service's own answers."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sagedock.requests import validate

PROGRAM = Path(sys.executable).with_name("sagedock")
BUCKET = "sagemaker-eu-west-1-123456789012"
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/training:1"
AWS = ("--aws", "--instance-type", "ml.m5.large", "--region", "eu-west-1")
TRAIN = ("train", "--image", IMAGE, *AWS, "-i", "train=data")
ARN = "arn:aws:sagemaker:eu-west-1:123456789012:training-job/n"
KEYS = ("--subnet", "subnet-1", "--security-group", "sg-1", "--output-kms-key", "k1",
        "--volume-kms-key", "k2", "--experiment", "e", "--trial", "t", "--run-name", "r",
        "--display-name", "d")  # fmt: skip


@pytest.fixture
def work(tmp_path):
    folder = tmp_path / "work"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "a.csv").write_text("1,2\n")
    (folder / "train.py").write_text("print('hello')\n")
    return folder


@pytest.fixture
def sagedock(work, tmp_path, proxy, monkeypatch):
    monkeypatch.setenv("SAGEDOCK_DATA", str(tmp_path / "local"))

    def run(*arguments):
        return subprocess.run(
            [PROGRAM, *arguments], cwd=work, capture_output=True, text=True, timeout=120,
            check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    yield run
    assert not (tmp_path / "local").exists()  # nothing local took a part


def description(status, **more):
    transition = {"Status": status, "StartTime": 1.8e9, "StatusMessage": f"{status}."}
    document = {
        "TrainingJobName": "n", "TrainingJobArn": ARN, "TrainingJobStatus": status,
        "SecondaryStatus": status, "SecondaryStatusTransitions": [transition],
        "CreationTime": 1.8e9, "TrainingStartTime": 1.8e9, "TrainingEndTime": 1.8e9 + 3600,
        "BillableTimeInSeconds": 1800, "TrainingTimeInSeconds": 3600,
        "ModelArtifacts": {"S3ModelArtifacts": f"s3://{BUCKET}/n/output/model.tar.gz"},
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1,
                           "VolumeSizeInGB": 30},
        **more,
    }  # fmt: skip
    return json.dumps(document).encode()


@pytest.fixture
def job(proxy):
    """`job(status, …)`: creating the job succeeds, and it is described so."""

    def made(status, **more):
        absent = b'{"__type": "ValidationException", "message": "Requested resource not found."}'
        proxy.rule("SageMaker.DescribeTrainingJob", status=400, body=absent)
        arn = json.dumps({"TrainingJobArn": ARN}).encode()
        proxy.rule("SageMaker.CreateTrainingJob", status=200, body=arn)
        found = description(status, **more)
        proxy.rule("SageMaker.DescribeTrainingJob", status=200, body=found, times=1000)

    return made


# dry runs


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        (
            "CreateTrainingJob",
            (*TRAIN, *KEYS, "--entry-point", "train.py", "--spot", "--max-wait", "90000",
             "--checkpoints", "s3://x-bucket/c", "--keep-alive", "60", "--retries", "2",
             "--input-mode", "FastFile", "--volume-size", "50", "--encrypt-traffic",
             "--instance-count", "3"),
        ),
        (
            "CreateProcessingJob",
            ("process", "--image", IMAGE, *AWS, *KEYS, "--code", "train.py", "--encrypt-traffic",
             "-i", "in=data:/opt/ml/processing/in", "-o", "out=/opt/ml/processing/out"),
        ),
        (
            "CreateTransformJob",
            ("transform", "--model-name", "m", *AWS, *KEYS[4:], "-i", "data"),
        ),
    ],
)  # fmt: skip
def test_a_dry_run_prints_what_the_service_takes_and_changes_nothing(
    sagedock, proxy, operation, arguments
):
    done = sagedock(*arguments, "--dry-run")
    assert (done.returncode, done.stderr) == (0, "")
    request = json.loads(done.stdout)
    validate(operation, request)
    assert request["ExperimentConfig"] == {
        "ExperimentName": "e",
        "TrialName": "t",
        "RunName": "r",
        "TrialComponentDisplayName": "d",
    }
    assert "k1" in done.stdout
    assert "k2" in done.stdout
    assert proxy.asked("^(PUT|HEAD|DELETE)") == 0
    assert proxy.asked("SageMaker") == 0
    if operation == "CreateTrainingJob":
        assert request["StoppingCondition"]["MaxWaitTimeInSeconds"] == 90000
        assert request["CheckpointConfig"] == {"S3Uri": "s3://x-bucket/c"}
        assert request["ResourceConfig"]["KeepAlivePeriodInSeconds"] == 60
        assert request["ResourceConfig"]["VolumeSizeInGB"] == 50
        assert request["ResourceConfig"]["InstanceCount"] == 3
        assert request["RetryStrategy"] == {"MaximumRetryAttempts": 2}
        assert request["AlgorithmSpecification"]["TrainingInputMode"] == "FastFile"


def test_a_dry_run_of_serve_is_three_requests(sagedock, proxy):
    done = sagedock(
        "serve", IMAGE, *AWS, "--model-data", "data/a.csv", "--dry-run",
        "--capture", f"s3://{BUCKET}/c", "--subnet", "s-1", "--security-group", "g-1",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert list(document) == ["CreateModel", "CreateEndpointConfig", "CreateEndpoint"]
    for operation, request in document.items():
        validate(operation, request)
    assert document["CreateModel"]["VpcConfig"] == {"SecurityGroupIds": ["g-1"], "Subnets": ["s-1"]}
    data = document["CreateModel"]["PrimaryContainer"]["ModelDataUrl"]
    assert data.startswith(f"s3://{BUCKET}/sagedock/inputs/")
    assert proxy.asked("^(PUT|HEAD|DELETE)") == 0


# launching


def test_a_job_is_seen_through(sagedock, job, proxy):
    job("Completed", FinalMetricDataList=[{"MetricName": "loss", "Value": 0.5, "Timestamp": 1.8e9}])
    done = sagedock(*TRAIN, "--name", "n", "--entry-point", "train.py", "--bucket", "my-own")
    assert (done.returncode, done.stderr) == (0, "")
    log, _, summary = done.stdout.partition("\n\n")
    assert "Made the bucket my-own" in log
    assert " Completed - Completed." in log
    assert "Status    Completed\n" in summary
    assert "Metric    loss = 0.5\n" in summary
    assert f"Model     s3://{BUCKET}/n/output/model.tar.gz" in summary
    assert proxy.asked("^PUT /my-own/n/source/sourcedir.tar.gz") == 1


def test_a_job_that_fails_or_stops_exits_with_13(sagedock, job):
    job("Failed", FailureReason="AlgorithmError: it broke")
    done = sagedock(*TRAIN, "--name", "n", "--json", "-q")
    assert done.returncode == 13
    assert json.loads(done.stdout)["FailureReason"] == "AlgorithmError: it broke"
    assert "error: Training job n failed: AlgorithmError: it broke\n" in done.stderr
    assert "hint: Its whole log: sagedock logs n --aws --region eu-west-1\n" in done.stderr


def test_a_detached_job_is_named_and_left(sagedock, job):
    job("InProgress")
    done = sagedock(*TRAIN, "--name", "n", "--detach")
    assert (done.returncode, done.stdout) == (0, "n\n")
    assert "Follow it: sagedock logs -f n --aws --region eu-west-1\n" in done.stderr


def test_a_request_as_it_is(sagedock, job, work, proxy):
    request = json.loads(sagedock(*TRAIN, "--name", "n", "--dry-run").stdout)
    (work / "job.json").write_text(json.dumps(request))
    job("InProgress")
    done = sagedock("train", "--request", "job.json", "--aws", "--region", "eu-west-1", "-d")
    assert (done.returncode, done.stdout) == (0, "n\n"), done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("train", "--image", "i", "--profile", "p"), 2, "--profile needs --aws"),
        (("train", "--image", "i", "--region", "r"), 2, "--region needs --aws"),
        (("serve", "i", "--bucket", "bu-cket"), 2, "--bucket needs --aws"),
        (
            ("train", "--image", IMAGE, "--aws", "--region", "eu-west-1"),
            2,
            "No instance type given",
        ),
        (("train", "--image", "sagedock/training", *AWS), 2, "sagedock push sagedock/training"),
        ((*TRAIN, "--output-path", "out"), 2, "sagedock cp -r --aws s3://"),
        ((*TRAIN, "--output-path", "s3://not-there"), 9, "There is no bucket 'not-there'"),
        ((*TRAIN, "--profile", "none"), 2, "The config profile (none) could not be found"),
        ((*TRAIN, "--spot", "--max-wait", "5"), 2, "max_wait (5 s) is less than max_run"),
        (("serve", "sagedock/serving", *AWS), 2, "sagedock push sagedock/serving"),
    ],
)
def test_what_is_refused(sagedock, proxy, arguments, code, words):
    done = sagedock(*arguments)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert proxy.asked(r"SageMaker\.Create") == 0
    assert proxy.asked("^PUT /[^/]+/") == 0


def test_without_credentials_the_next_step_is_told(sagedock, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    done = sagedock(*TRAIN)
    assert done.returncode == 16
    assert "Unable to locate credentials" in done.stderr
    assert "sagedock run --" in done.stderr
