"""transform up to the point where an engine is needed: requests, and what is refused."""

import io
import json
import time
from pathlib import Path

import pytest

from sagedock.cli.listeners import PlainShow, TerminalShow
from sagedock.local.execution import ProgressListener
from sagedock.local.models import ModelRecords
from sagedock.requests import validate

NEW = ("transform", "--image", "sagedock/serving", "-i", "rows.csv")
OLD = ("transform", "--model-name", "churn", "-i", "rows.csv")
CSV = ("--content-type", "text/csv", "--accept", "text/csv", "--split-type", "Line",
       "--assemble-with", "Line")  # fmt: skip


@pytest.fixture(autouse=True)
def files(work):
    (work / "rows.csv").write_text("1,2\n")
    (work / "folder").mkdir()


def test_every_option_is_in_the_request(sagedock, work):
    done = sagedock(
        *OLD, *CSV, "-o", "s3://results/here", "--strategy", "MultiRecord", "--max-payload", "0",
        "--max-concurrent-transforms", "3", "--input-filter", "$[1:]", "--join-source", "Input",
        "--output-filter", "$[0,-1]", "--env", "LEVEL=debug", "-e", "A=b", "--tag", "team=churn",
        "--name", "my-job", "--instance-type", "ml.m5.xlarge", "--instance-count", "2",
        "--invocation-timeout", "60", "--invocation-retries", "0", "--dry-run",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    request = json.loads(done.stdout)
    validate("CreateTransformJob", request)
    source = request["TransformInput"].pop("DataSource")["S3DataSource"]
    assert source["S3DataType"] == "S3Prefix"
    assert source["S3Uri"].endswith("/rows.csv")
    assert request == {
        "TransformJobName": "my-job",
        "ModelName": "churn",
        "BatchStrategy": "MultiRecord",
        "MaxPayloadInMB": 0,
        "MaxConcurrentTransforms": 3,
        "ModelClientConfig": {"InvocationsTimeoutInSeconds": 60, "InvocationsMaxRetries": 0},
        "Environment": {"LEVEL": "debug", "A": "b"},
        "TransformInput": {"ContentType": "text/csv", "SplitType": "Line"},
        "TransformOutput": {
            "S3OutputPath": "s3://results/here", "Accept": "text/csv", "AssembleWith": "Line",
        },
        "TransformResources": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 2},
        "DataProcessing": {
            "InputFilter": "$[1:]", "OutputFilter": "$[0,-1]", "JoinSource": "Input",
        },
        "Tags": [{"Key": "team", "Value": "churn"}],
    }  # fmt: skip


def test_a_dry_run_makes_nothing(sagedock, data, work):
    done = sagedock(*NEW, "--dry-run")
    assert (done.returncode, done.stderr) == (0, "")
    request = json.loads(done.stdout)
    assert request["ModelName"] == request["TransformJobName"]
    assert request["ModelName"].startswith("serving-2")
    assert not data.exists()
    assert {path.name for path in work.iterdir()} == {"rows.csv", "folder"}


def test_a_requests_own_words_come_back_unchanged(sagedock, work):
    request = json.loads(sagedock(*OLD, *CSV, "--name", "x", "--dry-run").stdout)
    (work / "job.json").write_text(json.dumps(request))
    again = sagedock("transform", "--request", "job.json", "--dry-run")
    assert json.loads(again.stdout) == request


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("transform", "-i", "rows.csv"), 2, "Exactly one of --model-name and --image"),
        ((*OLD, "--image", "an/image"), 2, "Exactly one of --model-name and --image"),
        ((*OLD, "--model-data", "rows.csv"), 2, "--model-data needs --image"),
        (("transform", "--model-name", "churn"), 2, "Missing option '--input'"),
        ((*NEW, "--model-data", "no.tar.gz"), 8, "'no.tar.gz': no such file or folder"),
        ((*OLD[:-1], "no.csv"), 8, "'no.csv': no such file or folder"),
        ((*OLD[:-1], "s3://nowhere/x"), 9, "Bucket 'nowhere' is not known"),
        ((*OLD, *CSV, "--input-filter", "$..id"), 3, "InputFilter: JSONPath '$..id' is not known"),
        ((*OLD, *CSV, "--output-filter", "$.a"), 3, "OutputFilter: JSONPath '$.a': a CSV row has"),
        ((*OLD, "--input-filter", "$[1:]"), 3, "DataProcessing needs ContentType to be text/csv"),
        ((*OLD, *CSV[:4], "--join-source", "Input"), 3, "text/csv needs SplitType Line"),
        ((*OLD, *CSV[:6], "--join-source", "Input"), 3, "AssembleWith and SplitType to match"),
        ((*OLD, "--strategy", "MultiRecord"), 3, "BatchStrategy MultiRecord needs a SplitType"),
        (
            (*OLD, "--max-payload", "50", "--max-concurrent-transforms", "3"),
            3,
            "(MaxConcurrentTransforms * MaxPayloadInMB) cannot exceed 100 MB: 3 * 50 MB is 150 MB",
        ),
        ((*OLD, "--max-payload", "101"), 2, "101 is not in the range"),
        ((*OLD, "--split-type", "Lines"), 2, "'Lines' is not one of"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_made(sagedock, data, arguments, code, words):
    """And by a dry run as by a real one."""
    for more in ((), ("--dry-run",)):
        done = sagedock(*arguments, *more)
        assert done.returncode == code, done.stderr
        assert words in done.stderr
    if data.exists():
        records = ModelRecords(data)
        assert records.list() == []
        records.close()


def test_an_unknown_model_is_told(sagedock):
    done = sagedock(*OLD)
    assert done.returncode == 12
    assert "Could not find model 'churn'" in done.stderr


def test_a_model_that_no_job_could_use_is_not_kept(sagedock, data: Path):
    """No engine answers here, so the job can't be made."""
    done = sagedock(*NEW)
    assert done.returncode == 6, done.stderr
    records = ModelRecords(data)
    assert records.list() == []
    records.close()


def test_transform_is_among_the_commands(sagedock):
    assert "transform        Send data through a model in batches." in sagedock("--help").stdout


def test_progress_is_in_the_moving_line_of_a_terminal():
    """A job that is not at a terminal says it in its log."""
    stream = io.StringIO()
    with TerminalShow(stream, quiet=True) as show:
        assert isinstance(show, ProgressListener)
        show.progress("45 % of 104.9 MB, 0 of 1 objects, 55.1 MB/s")
        time.sleep(0.3)
    assert "Transform - 45 % of 104.9 MB, 0 of 1 objects" in stream.getvalue()
    assert not isinstance(PlainShow(stream, quiet=True), ProgressListener)
