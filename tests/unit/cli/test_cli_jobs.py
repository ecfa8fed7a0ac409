"""jobs, describe, logs, stop: on records, without an engine."""

import json
from contextlib import closing
from datetime import datetime

import pytest
from cli_records import transform_job

from sagedock.local.records import Records


def test_jobs_newest_first(sagedock, jobs):
    lines = sagedock("jobs").stdout.splitlines()
    assert lines[0].split() == ["NAME", "KIND", "STATUS", "STARTED", "(UTC)", "SECONDS"]
    assert [line.split()[:3] for line in lines[1:]] == [
        ["twin", "processing", "Failed"],
        ["twin", "training", "Completed"],
        ["churn-prepare", "processing", "Failed"],
        ["churn-train", "training", "Completed"],
    ]
    assert lines[-1].split()[3:] == ["2026-11-24", "08:07:01", "4.5"]


def test_jobs_filters(sagedock, jobs):
    def names(*arguments):
        return [job["Name"] for job in json.loads(sagedock("jobs", "--json", *arguments).stdout)]

    assert names("--kind", "training") == ["twin", "churn-train"]
    assert names("--status", "failed") == ["twin", "churn-prepare"]
    assert names("--last", "1") == ["twin"]
    assert names("--status", "InProgress") == []


def test_jobs_as_json(sagedock, jobs):
    job = json.loads(sagedock("jobs", "--json").stdout)[-1]
    assert job["Kind"] == "training"
    assert job["Seconds"] == 4.5
    assert datetime.fromisoformat(job["CreationTime"]).timestamp() == 1795507621.0


def test_no_jobs(sagedock):
    done = sagedock("jobs")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "No jobs.\n")


def test_describe_for_people(sagedock, jobs):
    text = sagedock("describe", "churn-train").stdout
    for words in (
        "Status    Completed",
        "Seconds   4.5 (staging 0.5, container 3.0, packaging 1.0)",
        "Metric    validation:error = 0.0625",
        "Model     s3://results/churn-train/output/model.tar.gz",
        "Note      a remark",
        "HyperParameters:\n  epochs: 3\n",
        "SecondaryStatusTransitions:\n  - Status:        Starting\n",
    ):
        assert words in text


def test_describe_for_programs_is_the_apis_answer(sagedock, jobs):
    text = sagedock("describe", "churn-train", "--json").stdout
    document = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert document["TrainingJobStatus"] == "Completed"
    assert document["HyperParameters"] == {"epochs": "3"}
    values = {item["MetricName"]: item["Value"] for item in document["FinalMetricDataList"]}
    assert values == {"validation:error": 0.0625, "loss": "NaN"}
    assert datetime.fromisoformat(document["TrainingEndTime"]).timestamp() == 1795507625.5


def test_describe_finds_processing_jobs(sagedock, jobs):
    document = json.loads(sagedock("describe", "churn-prepare", "--json").stdout)
    assert document["ProcessingJobStatus"] == "Failed"
    assert document["FailureReason"] == "it broke"


@pytest.mark.parametrize("command", ["describe", "logs", "stop"])
def test_an_unknown_job(sagedock, jobs, command):
    done = sagedock(command, "churn-trian")
    assert done.returncode == 12
    assert "error: No job is named 'churn-trian' in " in done.stderr
    assert "hint: Did you mean churn-train" in done.stderr
    assert "sagedock jobs" in done.stderr


@pytest.mark.parametrize("command", ["describe", "logs", "stop"])
def test_a_name_of_two_kinds(sagedock, jobs, command):
    done = sagedock(command, "twin")
    assert done.returncode == 2
    assert "--kind training" in done.stderr


def test_kind_tells_twins_apart(sagedock, jobs):
    assert "(processing)" in sagedock("describe", "twin", "--kind", "processing").stdout
    assert "(training)" in sagedock("describe", "twin", "--kind", "training").stdout


def test_stopping_what_has_ended(sagedock, jobs):
    done = sagedock("stop", "churn-train")
    assert done.returncode == 3
    assert "the training job is in status Completed" in done.stderr


def test_logs(sagedock, jobs):
    done = sagedock("logs", "churn-train")
    assert done.stdout == "first line\n100%\nübrig ✓\nlast line\n"


def test_logs_of_a_job_that_has_none(sagedock, jobs):
    assert sagedock("logs", "churn-prepare").stdout == ""


@pytest.mark.parametrize("follow", [[], ["--follow"]])
def test_logs_tail(sagedock, jobs, follow):
    assert sagedock("logs", "churn-train", "--tail", "1", *follow).stdout == "last line\n"
    assert sagedock("logs", "churn-train", "--tail", "0", *follow).stdout == ""
    assert len(sagedock("logs", "churn-train", "--tail", "99", *follow).stdout.splitlines()) == 4


def test_logs_with_timestamps(sagedock, jobs):
    text = sagedock("logs", "churn-train", "-t", "-n", "1").stdout
    assert text == "2026-11-24T08:07:03.000000000Z last line\n"


def test_a_terminal_that_cannot_show_it_is_no_failure(sagedock, jobs):
    done = sagedock("logs", "churn-train", env={"PYTHONIOENCODING": "latin-1"})
    assert done.returncode == 0
    assert "brig \\u2713" in done.stdout


def test_transform_jobs_are_shown_like_others(sagedock, jobs):
    with closing(Records(jobs)) as records:
        records.add(transform_job("scores"))
    (row,) = json.loads(sagedock("jobs", "--kind", "transform", "--json").stdout)
    assert row["Name"] == "scores"
    assert "s3://results/scores" in sagedock("describe", "scores").stdout
    answer = json.loads(sagedock("describe", "scores", "--json").stdout)
    assert answer["TransformOutput"]["S3OutputPath"] == "s3://results/scores"
    assert sagedock("logs", "scores").returncode == 0
