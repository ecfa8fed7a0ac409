"""The program `sagedock` with real containers: jobs seen through, left alone, failed, interrupted.

Each test has a data folder of its own; afterwards the engine must hold nothing that is labelled
with it.
"""

import json
import os
import pty
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from sagedock.local.client import data_id

PROGRAM = Path(sys.executable).with_name("sagedock")
SCRIPT = """
import argparse, os, signal, sys, time
parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int)
parser.add_argument("--seconds", type=float, default=0.0)
args = parser.parse_args()
for epoch in range(args.epochs):
    print(f"epoch {epoch} loss={1 / (epoch + 1):.2f}", flush=True)
    time.sleep(args.seconds)
print("10%\\r100%")
with open(os.environ["SM_MODEL_DIR"] + "/model.txt", "w") as model:
    model.write(os.environ["GREETING"] if "GREETING" in os.environ else "model")
"""
FAILING = "raise ValueError('the data is odd')\n"
COPYING = """
import shutil, sys
print(sys.argv[1:])
shutil.copy("/opt/ml/processing/in/raw.csv", "/opt/ml/processing/out/copy.csv")
"""
LONG = ("-p", "epochs=3000", "-p", "seconds=0.1")


class Terminal:
    """`sagedock` in a folder with scripts, on a data folder of its own."""

    def __init__(self, folder: Path, images: Mapping[str, str]) -> None:
        self.folder, self.data, self.images = folder, folder / "data", images
        for name, text in {"train.py": SCRIPT, "fail.py": FAILING, "copy_it.py": COPYING}.items():
            (folder / name).write_text(text)
        self.environment = {
            **os.environ,
            "SAGEDOCK_DATA": str(self.data),
            "SAGEDOCK_STOP_GRACE": "20",
            "TERM": "xterm",
        }

    def start(self, *arguments: str, **options: object) -> "subprocess.Popen[str]":
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        return subprocess.Popen(
            [PROGRAM, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            encoding="utf-8",
            **pipes,
        )

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        with self.start(*arguments) as process:
            out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def train(self, *arguments: str) -> tuple[str, ...]:
        return "train", "--image", self.images["training"], *arguments

    def wait_for_log(self, name: str, words: str) -> None:
        end = time.monotonic() + 60
        while words not in self.run("logs", name).stdout:
            assert time.monotonic() < end, f"{words!r} did not appear"
            time.sleep(0.2)


@pytest.fixture
def terminal(
    tmp_path: Path,
    images: Mapping[str, str],
    docker_cli: Callable[..., "subprocess.CompletedProcess[str]"],
) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path, images)
    yield terminal
    label = f"label=sagedock={data_id(terminal.data)}"
    assert docker_cli("ps", "-aq", "--filter", label).stdout == ""
    assert not list(terminal.data.glob("jobs/*/*/inputs"))


def test_training_with_a_script(terminal):
    done = terminal.run(
        *terminal.train("--entry-point", "train.py", "-p", "epochs=3", "-e", "GREETING=hello"),
        "--metric", "loss=loss=([0-9.]+)", "--name", "first",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    log, _, summary = done.stdout.partition("\n\n")
    assert " Training - " in log
    assert "epoch 0 loss=1.00\nepoch 1 loss=0.50\nepoch 2 loss=0.33\n100%\n" in log
    assert "Status    Completed\n" in summary
    assert "Metric    loss = 0.33\n" in summary
    assert "Model     s3://sagedock-local/first/output/model.tar.gz\n" in summary
    assert terminal.run("cp", "s3://sagedock-local/first/output/model.tar.gz", ".").returncode == 0
    with tarfile.open(terminal.folder / "model.tar.gz") as archive:
        assert archive.extractfile("model.txt").read() == b"hello"


def test_training_says_everything_as_json(terminal):
    done = terminal.run(*terminal.train("--entry-point", "train.py", "-p", "epochs=1", "--json"))
    assert done.returncode == 0
    assert json.loads(done.stdout)["TrainingJobStatus"] == "Completed"
    assert "epoch 0" in done.stderr


def test_a_job_that_fails(terminal):
    done = terminal.run(
        *terminal.train("--entry-point", "fail.py", "--name", "bad", "--json", "-q")
    )
    assert done.returncode == 13
    document = json.loads(done.stdout)
    assert document["TrainingJobStatus"] == "Failed"
    assert document["FailureReason"].startswith("AlgorithmError: ValueError: the data is odd")
    assert f"error: Training job bad failed: {document['FailureReason']}\n" in done.stderr
    assert "hint: Its whole log: sagedock logs bad\n" in done.stderr
    assert "Traceback" not in done.stderr.partition("error: ")[0]  # --quiet


def test_processing(terminal):
    (terminal.folder / "raw.csv").write_text("1,2\n")
    done = terminal.run(
        "process", "--image", terminal.images["processing"], "--code", "copy_it.py",
        "-i", "raw=raw.csv:/opt/ml/processing/in", "-o", "out=/opt/ml/processing/out:results",
        "--", "--ratio", "0.2",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "['--ratio', '0.2']\n" in done.stdout
    assert f"Output    out: file://{terminal.folder}/results\n" in done.stdout
    assert (terminal.folder / "results" / "copy.csv").read_text() == "1,2\n"


def test_a_request_is_a_job(terminal):
    request = json.loads(terminal.run(*terminal.train("--name", "mine", "--dry-run")).stdout)
    request["AlgorithmSpecification"]["ContainerEntrypoint"] = ["python3", "-c", "print('hi')"]
    (terminal.folder / "job.json").write_text(json.dumps(request))
    done = terminal.run("train", "--request", "job.json")
    assert done.returncode == 0
    assert "\nhi\n" in done.stdout


def test_a_detached_job_is_followed_listed_and_stopped(terminal):
    done = terminal.run(*terminal.train("--entry-point", "train.py", *LONG, "--name", "far", "-d"))
    assert (done.returncode, done.stdout) == (0, "far\n")
    terminal.wait_for_log("far", "epoch 3")
    with terminal.start("logs", "-f", "far") as follower:
        (job,) = json.loads(terminal.run("jobs", "--status", "InProgress", "--json").stdout)
        assert job["Name"] == "far"
        assert terminal.run("stop", "far", "--wait").stdout == "Training job far: Stopped\n"
        out, err = follower.communicate(timeout=60)
    assert (follower.returncode, err) == (0, "")
    assert "epoch 0 " in out
    assert out == terminal.run("logs", "far").stdout


def test_a_follower_that_is_interrupted_leaves_the_job_alone(terminal):
    terminal.run(*terminal.train("--entry-point", "train.py", *LONG, "--name", "far", "-d"))
    terminal.wait_for_log("far", "epoch 1")
    with terminal.start("logs", "-f", "far") as follower:
        follower.stdout.readline()
        follower.send_signal(signal.SIGINT)
        follower.communicate(timeout=60)
    assert follower.returncode == 130
    description = json.loads(terminal.run("describe", "far", "--json").stdout)
    assert description["TrainingJobStatus"] == "InProgress"
    terminal.run("stop", "far", "--wait")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_stops_the_job(terminal, docker_cli, number, code):
    arguments = terminal.train("--entry-point", "train.py", *LONG, "--name", "short")
    with terminal.start(*arguments) as process:
        for line in process.stdout:
            if line.startswith("epoch 2"):
                break
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        assert docker_cli("ps", "-aq", "--filter", "label=sagedock.job=short").stdout == ""
    assert process.returncode == code
    assert "Stopping - Stopping the training job\n" in out
    assert "Status    Stopped\n" in out
    assert "interrupted: training job short was stopped.\n" in err
    description = json.loads(terminal.run("describe", "short", "--json").stdout)
    assert description["TrainingJobStatus"] == "Stopped"


def test_a_job_that_somebody_else_stops_did_not_complete(terminal):
    arguments = terminal.train("--entry-point", "train.py", *LONG, "--name", "short")
    with terminal.start(*arguments) as process:
        for line in process.stdout:
            if line.startswith("epoch 2"):
                break
        assert terminal.run("stop", "short").returncode == 0
        _, err = process.communicate(timeout=60)
    assert process.returncode == 13
    assert "error: Training job short did not complete: Training job stopped.\n" in err


def test_a_reader_that_goes_away_does_not_end_the_job(terminal):
    arguments = terminal.train("--entry-point", "train.py", "-p", "epochs=5", "-p", "seconds=0.2")
    with terminal.start(*arguments, "--name", "unread") as process:
        process.stdout.close()
        process.wait(timeout=60)
        assert process.stderr.read() == ""
    assert process.returncode == 0
    assert "epoch 4" in terminal.run("logs", "unread").stdout


def test_at_a_terminal_one_line_moves_below_the_log(terminal):
    main, side = pty.openpty()
    arguments = terminal.train("--entry-point", "train.py", "-p", "epochs=5", "-p", "seconds=0.2")
    with terminal.start(*arguments, "--name", "seen", stdout=side, stderr=side) as process:
        os.close(side)
        screen = bytearray()
        try:
            while data := os.read(main, 65536):
                screen += data
        except OSError:  # its other end is closed: the program has ended
            os.close(main)
    text = screen.decode()
    assert process.returncode == 0
    assert "\x1b[Kepoch 0 loss=1.00\r\n" in text
    assert "Training - seen  " in text
    assert text.rpartition("\x1b[K")[2].startswith("\r\nJob       seen (training)\r\n")


def test_an_image_that_is_not_there(terminal):
    done = terminal.run("train", "--image", "localhost:1/not/there:1")
    assert done.returncode == 7
    assert "error: Image 'localhost:1/not/there:1'" in done.stderr


def test_two_jobs_of_one_name(terminal):
    arguments = terminal.train(
        "--entry-point", "train.py", "-p", "epochs=1", "--name", "same", "-q"
    )
    assert terminal.run(*arguments).returncode == 0
    done = terminal.run(*arguments)
    assert done.returncode == 11
    assert "a training job with this name already exists" in done.stderr


def test_building_what_is_up_to_date(terminal):
    done = terminal.run("build", "--json")
    assert done.returncode == 0
    found = {image["name"]: image for image in json.loads(done.stdout)}
    assert {"base", "training", "processing"} <= set(found)
    assert not any(image["fresh"] for image in found.values())
    assert "up to date" in terminal.run("build", "base").stdout
