"""Jobs of the command line, here and on AWS as this machine has it, as runs of a real MLflow."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from sdk_kit import EXAMPLE, ROOT, finished, printed

from faulty_proxy import FaultyProxy

HERE = Path(__file__).parent
SAGEDOCK = Path(sys.executable).parent / "sagedock"
ON_AWS = ("--aws", "--region", "us-east-1", "--instance-type", "ml.m5.large")
AWS_IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
"""One that AWS could pull; here ours runs in its place."""


@pytest.fixture
def sagedock(data, clean):
    """`sagedock(…)` on the data folder of all programs; with `aws` by `sagedock run`."""

    def go(*arguments, aws=False, code=0, **variables):
        inner = ["run", "--", SAGEDOCK] if aws else []
        done = subprocess.run(
            [SAGEDOCK, "--data", data, *inner, *map(str, arguments)],
            env={**clean(), **variables}, capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        assert done.returncode == code, f"{done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done

    return go


def train(images, server, experiment, *more):
    return ("train", "--image", images["training"], "--entry-point", HERE / "logging_script.py",
            "--metric", "loss=loss: ([0-9.]+)", "--mlflow-tracking-uri", server,
            "--mlflow-experiment", experiment, *more)  # fmt: skip


def only_run(runs, experiment):
    found = runs.get_experiment_by_name(experiment)
    (run,) = runs.search_runs([found.experiment_id])
    return run


@pytest.mark.parametrize("aws", [False, True], ids=["here", "aws"])
def test_a_training_job_is_a_run(sagedock, runs, server, images, aws):
    experiment = f"churn-{'aws' if aws else 'here'}"
    where = ("--image", AWS_IMAGE, *ON_AWS) if aws else ()
    name = f"tracked-{experiment}"
    done = sagedock(
        *train(images, server, experiment, "-p", "rounds=4", "--name", name, *where), aws=aws
    )
    run = only_run(runs, experiment)
    assert f"told of {server} {run.info.run_id}" in done.stdout
    assert f"MLflow: run {run.info.run_id} at {server}" in done.stderr
    assert "View run" not in done.stdout  # what MLflow's client would print
    assert "logged 200" in done.stdout
    assert (run.info.run_name, run.info.status) == (name, "FINISHED")
    assert run.data.params == {"rounds": "4"}
    history = runs.get_metric_history(run.info.run_id, "loss")
    assert [(m.step, m.value) for m in history] == [
        (0, 1.0), (1, 0.5), (2, pytest.approx(1 / 3)), (3, 0.25),
    ]  # fmt: skip
    stamps = [metric.timestamp for metric in history]
    assert stamps == sorted(stamps)
    assert run.info.start_time <= stamps[0] <= stamps[-1] <= run.info.end_time
    assert run.data.metrics["own"] == 7.0
    tags = run.data.tags
    arn = f"arn:aws:sagemaker:us-east-1:000000000000:training-job/{name}"
    assert tags["sagedock.job_arn"] == arn
    assert tags["sagedock.instance_type"] == "ml.m5.large"
    assert tags["sagedock.status"] == "Completed"
    assert tags["sagedock.model"].endswith(f"/{name}/output/model.tar.gz")


def test_a_job_that_fails_is_a_run_that_failed(sagedock, runs, server, images):
    sagedock(*train(images, server, "fails", "-p", "fail=1"), code=13)
    run = only_run(runs, "fails")
    assert run.info.status == "FAILED"
    assert run.data.tags["sagedock.status"] == "Failed"
    assert "AlgorithmError" in run.data.tags["sagedock.failure_reason"]


def test_by_the_environment_nested_in_a_run(sagedock, runs, server, images, churn):
    experiment = runs.create_experiment("tables")
    parent = runs.create_run(experiment).info.run_id
    sagedock(
        "process", "--image", images["processing"], "--code", EXAMPLE / "code/prepare_xgboost.py",
        "-i", f"raw={churn.raw}:/opt/ml/processing/input", "--name", "tracked-tables",
        MLFLOW_TRACKING_URI=server, MLFLOW_EXPERIMENT_NAME="tables", MLFLOW_RUN_ID=parent,
    )  # fmt: skip
    found = {run.info.run_id: run for run in runs.search_runs([experiment])}
    del found[parent]
    (run,) = found.values()
    assert run.data.tags["mlflow.parentRunId"] == parent
    assert run.data.tags["sagedock.kind"] == "processing"
    assert run.info.status == "FINISHED"


def test_a_server_that_is_down_fails_no_job(sagedock, images):
    with socket.create_server(("127.0.0.1", 0)) as door:
        dead = f"http://127.0.0.1:{door.getsockname()[1]}"
    wanted = train(images, dead, "nobody", "-p", "rounds=2", "--json")
    done = sagedock(*wanted, MLFLOW_HTTP_REQUEST_MAX_RETRIES="0")
    assert json.loads(done.stdout)["TrainingJobStatus"] == "Completed"
    assert done.stderr.count("MLflow") == 1 + done.stderr.count("MlflowException")
    assert f"MLflow at {dead} does not have all of this job" in done.stderr


def test_a_job_that_nobody_waited_for_is_tracked_later(sagedock, runs, server, images):
    wanted = train(images, server, "later", "-p", "rounds=3", "--name", "tracked-later")
    assert f"at {server}" in sagedock(*wanted, "--detach").stderr
    assert only_run(runs, "later").info.status == "RUNNING"
    sagedock("logs", "-f", "tracked-later")
    where = ("--mlflow-tracking-uri", server, "--mlflow-experiment", "later")
    for _ in range(2):  # which adds nothing twice
        done = sagedock("track", "tracked-later", *where)
        run = only_run(runs, "later")
        assert done.stdout == f"tracked-later: run {run.info.run_id}\n"
        assert run.info.status == "FINISHED"
        assert len(runs.get_metric_history(run.info.run_id, "loss")) == 3


def test_a_job_that_was_started_without_is_tracked_later(sagedock, runs, server, images):
    sagedock("train", "--image", images["training"], "--name", "untracked", "-q",
             "--entry-point", HERE / "logging_script.py", "-p", "rounds=2")  # fmt: skip
    sagedock("track", "untracked", MLFLOW_TRACKING_URI=server, MLFLOW_EXPERIMENT_NAME="without")
    run = only_run(runs, "without")
    assert (run.info.run_name, run.data.params) == ("untracked", {"rounds": "2"})
    assert run.data.tags["sagedock.status"] == "Completed"
    dead = sagedock("track", "untracked", "--mlflow-tracking-uri", "http://127.0.0.1:9",
                    code=10, MLFLOW_HTTP_REQUEST_MAX_RETRIES="0")  # fmt: skip
    assert "Training job untracked is not tracked: MLflow at http://127.0.0.1:9" in dead.stderr
    unsaid = sagedock("track", "untracked", code=2)
    assert "Missing option '--mlflow-tracking-uri'" in unsaid.stderr


def test_sagemakers_own_server_by_its_arn(runs, server, environments, clean):
    """Its plugin signs with the session's key; a plain server behind a proxy answers."""
    host, _, port = server.removeprefix("http://").partition(":")
    with FaultyProxy(host, int(port)) as proxy:
        environment = {**clean(), "PYTHONPATH": str(ROOT / "src"),
                       "AWS_ACCESS_KEY_ID": "AKIAOTHER", "AWS_SECRET_ACCESS_KEY": "other",
                       "SAGEMAKER_MLFLOW_CUSTOM_ENDPOINT": proxy.url}  # fmt: skip
        program = [environments["v3"] / "python", HERE / "managed.py", "AKIAOFTHESESSION"]
        out = finished(program, environment, 300).stdout
        signed = [head for head in proxy.seen if "AWS4-HMAC-SHA256 Credential=AKIAOFTHE" in head]
        assert signed == proxy.seen
        assert len(signed) > 3
    assert printed(out, "set") == "False"
    run = runs.get_run(printed(out, "run"))
    assert (run.info.status, run.data.params, run.data.metrics) == (
        "FINISHED", {"n": "50"}, {"loss": 0.5},
    )  # fmt: skip
