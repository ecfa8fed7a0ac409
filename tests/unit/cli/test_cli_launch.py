"""train and process up to the point where an engine is needed: requests, and what is refused."""

import json
from pathlib import Path

import pytest

from sagedock.requests import validate

TRAIN = ("train", "--image", "sagedock/training")
PROCESS = ("process", "--image", "sagedock/processing", "--code", "prepare.py")


@pytest.fixture(autouse=True)
def files(work):
    (work / "src").mkdir()
    (work / "src" / "train.py").write_text("print('hello')\n")
    (work / "prepare.py").write_text("print('hello')\n")
    (work / "raw.csv").write_text("1,2\n")
    (work / "folder").mkdir()


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_every_option_of_train_is_in_the_request(sagedock, work):
    done = sagedock(
        *TRAIN, "--entry-point", "train.py", "--source-dir", "src",
        "-p", "epochs=3", "-p", "formula=a=b", "-p", "text=", "--hyperparameter", "flag=true",
        "-i", "train=folder", "--input", "validation=raw.csv",
        "--content-type", "text/csv;label_size=1", "--content-type", "validation=text/libsvm",
        "--output-path", "s3://results/here", "--code-location", "s3://code",
        "--name", "my-job", "--role", "MyRole", "--instance-type", "ml.m5.xlarge",
        "--instance-count", "2", "--max-run", "60", "-e", "LEVEL=debug",
        "--metric", "validation:error=error=([0-9.]+)", "--tag", "team=churn",
        "--network-isolation", "--dry-run",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    request = json.loads(done.stdout)
    validate("CreateTrainingJob", request)
    given = {k: v for k, v in request["HyperParameters"].items() if not k.startswith("sagemaker_")}
    assert given == {"epochs": "3", "formula": "a=b", "text": "", "flag": '"true"'}
    assert request["HyperParameters"]["sagemaker_program"] == "train.py"
    assert (
        request["HyperParameters"]["sagemaker_submit_directory"]
        == "s3://code/my-job/source/sourcedir.tar.gz"
    )
    types = {item["ChannelName"]: item["ContentType"] for item in request["InputDataConfig"]}
    assert types == {"train": "text/csv;label_size=1", "validation": "text/libsvm"}
    assert request["OutputDataConfig"] == {"S3OutputPath": "s3://results/here"}
    assert request["TrainingJobName"] == "my-job"
    assert request["RoleArn"] == "arn:aws:iam::000000000000:role/MyRole"
    assert request["ResourceConfig"]["InstanceType"] == "ml.m5.xlarge"
    assert request["ResourceConfig"]["InstanceCount"] == 2
    assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": 60}
    assert request["Environment"] == {"LEVEL": "debug"}
    assert request["AlgorithmSpecification"]["MetricDefinitions"] == [
        {"Name": "validation:error", "Regex": "error=([0-9.]+)"}
    ]
    assert request["Tags"] == [{"Key": "team", "Value": "churn"}]
    assert request["EnableNetworkIsolation"] is True


def test_every_option_of_process_is_in_the_request(sagedock):
    done = sagedock(
        *PROCESS, "--command", "python3 -u", "-i", "raw=raw.csv:/opt/ml/processing/raw",
        "-o", "train=/opt/ml/processing/train", "-o", "test=/opt/ml/processing/test:s3://mine/t",
        "--base-job-name", "churn", "--instance-type", "local", "--max-run", "60",
        "-e", "LEVEL=debug", "--tag", "team=churn", "--network-isolation", "--dry-run",
        "--", "--ratio", "0.2", "-h",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    request = json.loads(done.stdout)
    validate("CreateProcessingJob", request)
    name = request["ProcessingJobName"]
    assert name.startswith("churn-2")
    assert request["AppSpecification"]["ContainerArguments"] == ["--ratio", "0.2", "-h"]
    assert request["AppSpecification"]["ContainerEntrypoint"] == [
        "python3", "-u", "/opt/ml/processing/input/code/prepare.py",
    ]  # fmt: skip
    inputs = {item["InputName"]: item["S3Input"] for item in request["ProcessingInputs"]}
    assert set(inputs) == {"raw", "code"}
    assert inputs["raw"]["LocalPath"] == "/opt/ml/processing/raw"
    outputs = {
        item["OutputName"]: (item["S3Output"]["LocalPath"], item["S3Output"]["S3Uri"])
        for item in request["ProcessingOutputConfig"]["Outputs"]
    }
    assert outputs == {
        "train": ("/opt/ml/processing/train", f"s3://sagedock-local/{name}/output/train"),
        "test": ("/opt/ml/processing/test", "s3://mine/t"),
    }
    assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": 60}
    assert request["NetworkConfig"] == {"EnableNetworkIsolation": True}


@pytest.mark.parametrize(
    "arguments",
    [
        (*TRAIN, "--entry-point", "src/train.py", "-i", "train=folder", "--output-path", "out"),
        (*TRAIN, "--output-path", "s3://new-bucket/x", "-i", "train=folder"),
        (*PROCESS, "-i", "raw=raw.csv:/opt/ml/processing/a", "-o", "b=/opt/ml/processing/b:out"),
    ],
)
def test_a_dry_run_leaves_nothing(sagedock, jobs, work, arguments):
    before = tree(work.parent)
    stored = sagedock("ls").stdout
    assert sagedock(*arguments, "--dry-run").returncode == 0
    assert tree(work.parent) == before
    assert sagedock("ls").stdout == stored


def test_a_dry_run_makes_no_data_folder(sagedock, data):
    assert sagedock(*TRAIN, "--dry-run").returncode == 0
    assert not data.exists()


def test_a_dry_run_makes_the_request_of_the_run(sagedock, data, work):
    """Folders are named alike whether or not the store knows them yet."""
    first = sagedock(*TRAIN, "-i", "train=folder", "--name", "n", "--dry-run").stdout
    assert sagedock(*TRAIN, "-i", "train=folder", "--name", "n").returncode == 6  # no engine
    assert data.exists()
    assert sagedock(*TRAIN, "-i", "train=folder", "--name", "n", "--dry-run").stdout == first


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["train"], 2, "Missing option '--image'"),
        ([*TRAIN, "-p", "epochs"], 2, "'epochs': expected NAME=VALUE, for example epochs=3"),
        ([*TRAIN, "-p", "=3"], 2, "expected NAME=VALUE"),
        ([*TRAIN, "-p", "a=1", "-p", "a=2"], 2, "'a' is given more than once"),
        ([*TRAIN, "-i", "folder"], 2, "'folder': expected CHANNEL=SOURCE"),
        ([*TRAIN, "-i", "train=nowhere"], 8, "Channel 'train': Input 'nowhere': no such file"),
        ([*TRAIN, "-i", "train=s3://unknown/x"], 9, "Bucket 'unknown' is not known"),
        ([*TRAIN, "-i", "train=s3://No_Bucket/x"], 9, "'No_Bucket' is not a bucket name"),
        ([*TRAIN, "-i", "train=https://a.b/c"], 2, "expected a path, file://<path> or s3://"),
        ([*TRAIN, "-i", "a=folder", "--content-type", "b=text/csv"], 2, "(channels: a)"),
        ([*TRAIN, "--content-type", "b=text/csv"], 2, "(channels: none)"),
        ([*TRAIN, "--entry-point", "none.py"], 8, "entry_point 'none.py' is not a file"),
        ([*TRAIN, "--source-dir", "src"], 2, "--source-dir needs --entry-point"),
        ([*TRAIN, "--instance-type", "ml.m5.larg"], 3, "did you mean ml.m5.large"),
        ([*TRAIN, "--role", "arn:wrong"], 3, "RoleArn"),
        ([*TRAIN, "--name", "a b"], 3, "'trainingJobName'"),
        ([*TRAIN, "--instance-count", "0"], 2, "0 is not in the range"),
        ([*TRAIN, "--max-run", "soon"], 2, "'soon' is not a valid integer"),
        ([*TRAIN, "--instance-count", "2"], 4, "2 instances"),
        ([*TRAIN, "--output-path", "raw.csv/x"], 10, "Output folder 'raw.csv/x' can't be made"),
        (["process", "--image", "i"], 2, "Missing option '--code'"),
        (["process", "--code", "prepare.py"], 2, "Missing option '--image'"),
        ([*PROCESS, "-i", "raw=raw.csv"], 2, "such as raw=raw.csv:/opt/ml/processing/raw"),
        ([*PROCESS, "-i", "raw=s3://a/b"], 2, "expected NAME=SOURCE:PATH"),
        ([*PROCESS, "-i", "raw=raw.csv:/data"], 3, "must lie below /opt/ml/processing/"),
        ([*PROCESS, "-o", "x=out"], 2, "expected NAME=PATH[:TARGET]"),
        (["process", "--image", "i", "--code", "none.py"], 8, "code 'none.py' is not a file"),
    ],
)
def test_what_is_refused(sagedock, arguments, code, words):
    done = sagedock(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr


@pytest.mark.parametrize(
    ("arguments", "name"),
    [((*TRAIN, "--entry-point", "src/train.py"), "churn-train"), (PROCESS, "churn-prepare")],
)
def test_a_name_that_is_taken_uploads_nothing(sagedock, jobs, arguments, name):
    done = sagedock(*arguments, "--name", name)
    assert done.returncode == 11
    assert "already exists (arn:aws:sagemaker:" in done.stderr
    assert sagedock("ls", "-r", "s3://sagedock-local").stdout == ""


def test_a_request_instead_of_options(sagedock, work):
    text = sagedock(*TRAIN, "--name", "n", "--dry-run").stdout
    (work / "job.json").write_text(text)
    assert sagedock("train", "--request", "job.json", "--dry-run").stdout == text
    assert sagedock("train", "--request", "-", "--dry-run", stdin=text).stdout == text
    assert sagedock("train", "--request", "job.json").returncode == 6


@pytest.mark.parametrize(
    ("text", "arguments", "code", "words"),
    [
        ("{", [], 3, "<stdin> is not JSON: "),
        ("[1]", [], 3, "<stdin> holds a list"),
        ('{"TrainingJobName": "x"}', [], 3, 'Missing required parameter in input: "RoleArn"'),
        ('{"Nonsense": 1}', [], 3, "Nonsense"),
        ("{}", ["--image", "i", "-p", "a=b"], 2, "--image, -p can't go with --request"),
    ],
)
def test_a_request_that_is_refused(sagedock, text, arguments, code, words):
    done = sagedock("train", "--request", "-", *arguments, stdin=text)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr


def test_a_request_that_is_not_there(sagedock):
    done = sagedock("train", "--request", "none.json")
    assert done.returncode == 2
    assert "No such file or directory" in done.stderr


def test_a_processing_request(sagedock):
    text = sagedock(*PROCESS, "--name", "n", "--dry-run").stdout
    assert sagedock("process", "--request", "-", "--dry-run", stdin=text).stdout == text
