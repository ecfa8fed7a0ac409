"""A session whose jobs are tracked: what it tells the server and the container; and servers that
are down, slow, or refuse."""

import os
import socket
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from faulty_proxy import FaultyProxy
from sagedock import Estimator, Session
from sagedock.engine.plan import LogLine
from sagedock.errors import ResourceInUseError, UsageError
from sagedock.launch.place import Ended
from sagedock.launch.tracking import place as tracking
from sagedock.launch.tracking.place import Tracking, at, is_tracked, tracked
from sagedock.launch.tracking.runs import MlflowRuns, TrackingError, require
from sagedock.local.records import Kind, Status

ARN = "arn:aws:sagemaker:us-east-1:000000000000:training-job/forest"
REQUEST = {
    "TrainingJobName": "forest",
    "HyperParameters": {"n": "50"},
    "AlgorithmSpecification": {"MetricDefinitions": [{"Name": "loss", "Regex": "loss=(.*)"}]},
    "Environment": {"MLFLOW_RUN_ID": "mine"},
}
URI = "https://mlflow.example.com"


class Here:
    """A session on a machine without Docker: a job ends as soon as it is attended."""

    def __init__(self, ending="Completed", taken=False):
        self.ending, self.taken, self.status = ending, taken, "InProgress"
        self.started = None

    def start(self, kind, request, uploads, *, wait):
        if self.taken:
            raise ResourceInUseError("The name is taken.")
        self.started = request

    def attend(self, kind, name, *, logs):
        self.status = self.ending
        return Ended(status=Status(self.ending))

    def describe(self, kind, name):
        ended = {"TrainingEndTime": datetime.now(UTC)} if self.status != "InProgress" else {}
        return {**REQUEST, "TrainingJobArn": ARN, "TrainingJobStatus": self.status, **ended}

    def lines(self, kind, name):
        return [LogLine(stamp="2026-11-24T08:00:00Z", text="loss=0.5")]


class Server:
    """Keeps what it is told."""

    def __init__(self):
        self.begun, self.added, self.known = [], [], {}

    def begin(self, name, facts, parent):
        self.begun.append((name, facts, parent))
        return "run-1"

    def find(self, arn):
        return self.known.get(arn)

    def add(self, run, facts):
        self.added.append((run, facts))


class Broken:
    """Can't be asked."""

    def begin(self, *_):
        raise TrackingError("no answer within 1 s")

    find = add = begin


def place_at(here, server, uri=URI, parent=None):
    said = []
    return at(here, Tracking(uri=uri, parent=parent), server, said.append), said


def test_a_job_is_a_run_from_its_start_to_its_end():
    here, server = Here(), Server()
    place, said = place_at(here, server, parent="above")
    place.start(Kind.TRAINING, {**REQUEST, "Environment": {"A": "1"}}, [], wait=True)
    ((name, facts, parent),) = server.begun
    assert (name, parent, facts.parameters) == ("forest", "above", {"n": "50"})
    assert here.started["Environment"] == {
        "MLFLOW_TRACKING_URI": URI, "MLFLOW_RUN_ID": "run-1", "A": "1",
    }  # fmt: skip
    assert server.added[0][1].tags == {"sagedock.job_arn": ARN}
    assert place.attend(Kind.TRAINING, "forest", logs=True).status is Status.COMPLETED
    run, ended = server.added[-1]
    assert (run, ended.status, [point.value for point in ended.points]) == (
        "run-1", "FINISHED", [0.5],
    )  # fmt: skip
    assert said == [f"MLflow: run run-1 at {URI}"]


def test_the_callers_own_variables_win():
    here = Here()
    place, _ = place_at(here, Server())
    place.start(Kind.TRAINING, REQUEST, [], wait=True)
    assert here.started["Environment"]["MLFLOW_RUN_ID"] == "mine"


def test_a_server_on_loopback_is_not_told_of_in_the_container():
    here = Here()
    place, said = place_at(here, Server(), uri="http://127.0.0.1:5000")
    place.start(Kind.TRAINING, REQUEST, [], wait=True)
    assert here.started is REQUEST
    assert said == [
        "MLflow: the container is not told of its run: 127.0.0.1 is the container itself there.",
        "MLflow: run run-1 at http://127.0.0.1:5000",
    ]


def test_a_job_that_cannot_start_is_a_run_that_failed():
    server = Server()
    place, _ = place_at(Here(taken=True), server)
    with pytest.raises(ResourceInUseError):
        place.start(Kind.TRAINING, REQUEST, [], wait=True)
    assert server.added[-1][1].status == "FAILED"
    assert server.added[-1][1].tags == {"sagedock.failure_reason": "The name is taken."}


def test_a_job_that_goes_on_changes_nothing():
    """Ctrl-C leaves a job on AWS running."""
    here, server = Here(ending="InProgress"), Server()
    place, _ = place_at(here, server)
    place.attend(Kind.TRAINING, "forest", logs=True)
    assert server.added == []


@pytest.mark.parametrize(("known", "begun"), [({ARN: "run-0"}, 0), ({}, 1)])
def test_a_job_that_another_process_began(known, begun):
    here, server = Here(), Server()
    server.known = known
    place, _ = place_at(here, server)
    place.attend(Kind.TRAINING, "forest", logs=True)
    assert len(server.begun) == begun
    assert server.added[-1][0] == known.get(ARN, "run-1")
    assert server.added[-1][1].status == "FINISHED"


def test_a_server_that_cannot_be_asked_is_told_of_once_and_fails_no_job():
    here = Here()
    place, said = place_at(here, Broken())
    place.start(Kind.TRAINING, REQUEST, [], wait=True)
    assert here.started is REQUEST
    assert place.attend(Kind.TRAINING, "forest", logs=True).status is Status.COMPLETED
    assert said == [f"MLflow at {URI} does not have all of this job: no answer within 1 s"]


def test_nothing_is_tracked_where_nobody_asks_for_it(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    session = Session(data=tmp_path)
    assert Estimator("image", sagemaker_session=session).sagemaker_session is session
    session.close()


def test_a_facade_is_tracked_once(tmp_path, monkeypatch):
    session = Session(data=tmp_path)
    estimator = Estimator("image", sagemaker_session=session, tracking_uri=URI)
    assert is_tracked(estimator.sagemaker_session)
    assert estimator.sagemaker_session.default_bucket() == session.default_bucket()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", URI)
    again = Estimator("image", sagemaker_session=estimator.sagemaker_session)
    assert again.sagemaker_session is estimator.sagemaker_session
    assert is_tracked(Estimator("image", sagemaker_session=session).sagemaker_session)
    session.close()


def test_an_arn_needs_the_plugin():
    with pytest.raises(UsageError) as caught:
        require("arn:aws:sagemaker:us-east-1:000000000000:mlflow-tracking-server/ours")
    assert "needs sagemaker_mlflow" in caught.value.message
    assert caught.value.hint == "pip install 'sagedock[mlflow]'"


def test_what_the_environment_wishes_is_told_of_and_left(monkeypatch, capsys):
    arn = "arn:aws:sagemaker:us-east-1:000000000000:mlflow-tracking-server/ours"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", arn)
    tracking.tell_missing.cache_clear()
    here = Here()
    assert tracked(here) is here
    assert tracked(here) is here
    assert capsys.readouterr().err.count("jobs are not tracked") == 1


# the real client, with servers that are none


def begin(uri, patience):
    from sagedock.launch.tracking.facts import Facts

    return MlflowRuns(uri, patience=patience).begin("n", Facts(parameters={}, tags={}), None)


def test_a_server_that_is_down(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    with pytest.raises(TrackingError, match=f"MlflowException: .*{port}"):
        begin(f"http://127.0.0.1:{port}", 60)


def test_a_server_that_is_slow():
    with FaultyProxy("127.0.0.1", 9) as proxy:
        proxy.rule("", times=100, pause=30.0, status=200)
        with pytest.raises(TrackingError, match=r"no answer within 0\.5 s"):
            begin(proxy.url, 0.5)


@pytest.mark.parametrize("status", [401, 403])
def test_a_server_that_refuses(status):
    with FaultyProxy("127.0.0.1", 9) as proxy:
        proxy.rule("", times=100, status=status, body=b"You are not authenticated.")
        with pytest.raises(TrackingError, match=f"{status}"):
            begin(proxy.url, 60)


def test_a_server_that_is_none():
    with FaultyProxy("127.0.0.1", 9) as proxy:
        proxy.rule("", times=100, status=200, body=b"<html>")
        with pytest.raises(TrackingError, match="MlflowException"):
            begin(proxy.url, 60)


def test_a_program_ends_though_its_server_does_not_answer():
    """The client's thread is none that the interpreter waits for."""
    program = (
        "from sagedock.launch.tracking.runs import *\n"
        "from sagedock.launch.tracking.facts import Facts\n"
        "import sys\n"
        "runs, facts = MlflowRuns(sys.argv[1], patience=0.2), Facts(parameters={}, tags={})\n"
        "try: runs.begin('n', facts, None)\n"
        "except TrackingError as error: print(error)"
    )
    with FaultyProxy("127.0.0.1", 9) as proxy:
        proxy.rule("", times=100, pause=60.0, status=200)
        done = subprocess.run(
            [sys.executable, "-c", program, proxy.url],
            capture_output=True, text=True, timeout=50, check=True, env=dict(os.environ),
        )  # fmt: skip
    assert done.stdout.strip() == "no answer within 0.2 s"
