"""The commands that look at an account, `--aws` under `sagedock run`, at jobs and endpoints that
really run; and `sagedock clean` on what a killed process has left in the engine."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from sagedock.local.client import data_id

PROGRAM = Path(sys.executable).with_name("sagedock")
Done = subprocess.CompletedProcess[str]
TRAIN = """
import os, time
for step in range(10_000):
    print(f"10%\\r step {step}", flush=True)
    if os.path.exists("/opt/ml/input/data/go/stop-now"):
        break
    time.sleep(0.1)
"""
SERVE = """
def model_fn(folder):
    return None

def transform_fn(model, body, content_type, accept):
    text = body.decode() if isinstance(body, bytes) else body
    print(f"asked for {text}")
    return f"{text}!", "text/plain"
"""


class House:
    """A data folder with a server on it, and `sagedock` as a program of that account."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / "data"
        self._started: list[subprocess.Popen[str]] = []
        self.environ = {**os.environ, "SAGEDOCK_STOP_GRACE": "20", "PYTHONUNBUFFERED": "1"}

    def here(self, *arguments: str) -> Done:
        """On this machine."""
        return self._waited([str(PROGRAM), "--data", str(self.data), *arguments])

    def far(self, *arguments: str) -> Done:
        """On AWS, as `sagedock run` has it."""
        return self._waited(self._far(arguments))

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """The same, left running until the test ends."""
        made = subprocess.Popen(
            self._far(arguments), cwd=self.folder, env=self.environ, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self._started.append(made)
        return made

    def close(self) -> None:
        """End what was started."""
        for process in self._started:
            if process.poll() is None:
                process.terminate()
            process.communicate()
        self.here("down")

    def _far(self, arguments: tuple[str, ...]) -> list[str]:
        inner = [str(PROGRAM), "--data", str(self.folder / "elsewhere"), *arguments, "--aws"]
        return [str(PROGRAM), "--data", str(self.data), "run", "--", *inner]

    def _waited(self, command: list[str]) -> Done:
        return subprocess.run(
            command, cwd=self.folder, env=self.environ, capture_output=True, text=True,
            check=False, timeout=180,
        )  # fmt: skip


@pytest.fixture
def house(tmp_path: Path, docker_cli: Callable[..., Done]) -> Iterator[House]:
    made = House(tmp_path)
    assert made.here("up", "--detach", "--port=0").returncode == 0
    yield made
    made.close()
    label = f"label=sagedock={data_id(made.data)}"
    left = docker_cli("ps", "-aq", "--filter", label).stdout.split()
    if left:
        docker_cli("rm", "--force", "--volumes", *left)
    assert left == []


@pytest.fixture
def live(house: House, images: Mapping[str, str]) -> str:
    """A training job that goes on until it is stopped."""
    (house.folder / "train.py").write_text(TRAIN)
    arguments = ("--image", images["training"], "--name", "live", "--entry-point", "train.py")
    done = house.here("train", *arguments, "--detach")
    assert done.returncode == 0, done.stderr
    return "live"


def test_a_job_that_runs_is_listed_described_followed_and_stopped(house: House, live: str) -> None:
    (listed,) = json.loads(house.far("jobs", "--json").stdout)
    assert (listed["Name"], listed["Status"], listed["EndTime"]) == (live, "InProgress", None)

    following = house.start("logs", live, "--follow")
    shown = [following.stdout.readline()]
    while shown[-1] not in {" step 2\n", ""}:
        shown.append(following.stdout.readline())
    assert shown[-3:] == [" step 0\n", " step 1\n", " step 2\n"]

    text = house.far("describe", live).stdout
    assert f"#/jobs/{live}" in text
    assert " so far, at most $2.76 (" in text

    stopped = house.far("stop", live, "--wait")
    assert stopped.stdout == f"Training job {live}: Stopped\n", stopped.stderr
    shown += following.stdout.readlines()  # what has been read ahead, too
    assert following.wait(timeout=60) == 0
    assert "".join(shown) == house.here("logs", live).stdout

    near, away = (run("describe", live, "--json") for run in (house.here, house.far))
    assert json.loads(away.stdout)["TrainingJobStatus"] == "Stopped"
    assert json.loads(away.stdout).keys() == json.loads(near.stdout).keys()
    assert house.far("stop", live).returncode == 3


def test_a_job_is_deleted_and_its_name_used_again(
    house: House, live: str, images: Mapping[str, str]
) -> None:
    program = (
        "import boto3\n"
        "client = boto3.client('sagemaker')\n"
        "try:\n"
        "    client.delete_training_job(TrainingJobName='live')\n"
        "except client.exceptions.ResourceInUse as error:\n"
        "    print(error.response['Error']['Code'])\n"
    )

    def delete() -> Done:
        return house.here("run", "--", sys.executable, "-c", program)

    assert delete().stdout == "ResourceInUse\n"
    assert house.far("stop", live, "--wait").returncode == 0
    assert delete().stdout == ""
    assert house.far("describe", live).returncode == 12
    arguments = ("--image", images["training"], "--name", live, "--entry-point", "train.py")
    assert house.here("train", *arguments, "--detach").returncode == 0
    assert house.far("stop", live, "--wait").returncode == 0


def test_an_endpoint_is_listed_asked_read_and_deleted(
    house: House, images: Mapping[str, str]
) -> None:
    code = house.folder / "code"
    code.mkdir()
    (code / "inference.py").write_text(SERVE)
    subprocess.run(["tar", "-czf", "model.tar.gz", "code"], cwd=house.folder, check=True)
    model = house.folder / "model.tar.gz"
    arguments = ("--model-data", str(model), "--name", "e")
    served = house.here("serve", images["serving"], *arguments)
    assert served.returncode == 0, served.stderr

    near, away = house.here("endpoints"), house.far("endpoints")
    assert (away.returncode, away.stdout) == (0, near.stdout)
    assert house.far("invoke", "e", "1,2").stdout == "1,2!"
    assert house.far("invoke", "e", "3", "--stream").stdout == "3!"
    assert house.far("invoke", "f", "3").returncode == 12
    assert "asked for 1,2" in house.far("logs", "e").stdout
    assert house.far("logs", "e").stdout == house.here("logs", "e").stdout

    deleted = house.far("delete-endpoint", "e")
    assert deleted.stdout == "Endpoint e: deleted\n", deleted.stderr
    assert house.far("endpoints").stderr == "No endpoints.\n"
    assert "asked for 1,2" in house.far("logs", "e").stdout  # its log stays


def test_results_of_a_job_are_listed_and_fetched(house: House, images: Mapping[str, str]) -> None:
    (house.folder / "train.py").write_text(
        "import os\nopen(os.environ['SM_MODEL_DIR'] + '/m', 'w').write('model')\n"
    )
    arguments = ("--image", images["training"], "--name", "done", "--entry-point", "train.py", "-q")
    assert house.here("train", *arguments).returncode == 0
    found = json.loads(house.far("describe", "done", "--json").stdout)
    uri = found["ModelArtifacts"]["S3ModelArtifacts"]
    assert house.far("ls", uri).stdout.split()[-1] == "model.tar.gz"
    assert house.far("cp", uri, "fetched.tar.gz").returncode == 0
    names = subprocess.run(
        ["tar", "-tzf", "fetched.tar.gz"], cwd=house.folder, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert "m" in names.stdout.split()


# clean


def test_leftovers_are_listed_then_removed_and_nothing_else(
    house: House, live: str, images: Mapping[str, str], docker_cli: Callable[..., Done]
) -> None:
    def left(name: str, owner: str) -> str:
        made = f"{name}-{uuid.uuid4().hex[:8]}"
        labels = (f"sagedock={owner}", "sagedock.job=nobody", "sagedock.kind=training")
        flags = [word for label in labels for word in ("--label", label)]
        docker_cli("create", "--name", made, *flags, images["training"], "true")
        return made

    mine, other = left("left", data_id(house.data)), left("kept", "another")
    try:
        listed = house.here("clean", "--dry-run")
        assert (listed.returncode, listed.stdout) == (0, f"container {mine}\n")
        cleaned = house.here("clean")
        assert (cleaned.returncode, cleaned.stdout) == (0, f"container {mine}\n")
        names = docker_cli("ps", "-a", "--format", "{{.Names}}").stdout.split()
        assert mine not in names
        assert other in names
        assert house.here("clean").stderr == f"Nothing is left over in {house.data}.\n"
        assert house.far("stop", live, "--wait").returncode == 0  # it has gone on meanwhile
    finally:
        docker_cli("rm", "--force", mine, check=False)
        docker_cli("rm", "--force", other, check=False)


def test_a_job_whose_process_was_killed_is_listed_and_goes_on(house: House, live: str) -> None:
    from sagedock.local.records import Kind, Records

    while "step" not in house.here("logs", live).stdout:
        time.sleep(0.2)
    house.here("down")  # or it would take the job up itself
    records = Records(house.data)
    owner = records.get(Kind.TRAINING, live).owner
    records.close()
    assert owner is not None
    os.kill(owner.pid, signal.SIGKILL)
    listed = house.here("clean", "--dry-run")
    assert listed.stdout == f"training job {live} goes on\n"
    assert house.here("clean").returncode == 0
    stopped = house.here("stop", live, "--wait")
    assert stopped.stdout == f"Training job {live}: Stopped\n", stopped.stderr
