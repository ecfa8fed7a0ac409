"""`--aws` and AwsSession with an account that really runs what it is asked for: all kinds of jobs,
an endpoint, failures, interrupts; from the terminal and from Python."""

import json
import os
import pty
import signal
import subprocess
import sys
import tarfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

PROGRAM = str(Path(sys.executable).with_name("sagedock"))
BUCKET = "sagemaker-us-east-1-000000000000"
TRAIN = """
import argparse, os, sys, time
parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=1)
parser.add_argument("--seconds", type=float, default=0.0)
parser.add_argument("--fail", type=int, default=0)
args = parser.parse_args()
for root, _, files in sorted(os.walk(os.environ["SM_CHANNEL_TRAIN"])):
    for name in sorted(files):
        path = os.path.join(root, name)
        print("read", os.path.relpath(path, os.environ["SM_CHANNEL_TRAIN"]), open(path).read())
for epoch in range(args.epochs):
    print(f"10%\\r100% epoch {epoch}\\tloss={1 / (epoch + 1):.2f}", flush=True)
    time.sleep(args.seconds)
if args.fail:
    raise ValueError("the data is odd")
with open(os.environ["SM_MODEL_DIR"] + "/model.txt", "w") as model:
    model.write("the model")
print("the very last line")
"""
COPY = """
import shutil, sys
print("arguments", sys.argv[1:])
shutil.copy("/opt/ml/processing/in/a.csv", "/opt/ml/processing/out/copy.csv")
"""
SERVE = """
def model_fn(folder):
    return open(folder + "/model.txt").read()

def transform_fn(model, body, content_type, accept):
    text = body.decode() if isinstance(body, bytes) else body
    return "".join(f"{model}: {line}\\n" for line in text.splitlines()), "text/plain"
"""


class Account:
    """AWS on a data folder of its own, a work folder, and images by names that AWS could pull."""

    def __init__(self, folder: Path, images: Mapping[str, str], environ: Mapping[str, str]) -> None:
        self.folder, self.images, self.environ = folder, images, environ

    def start(self, *arguments: str, **options: object) -> "subprocess.Popen[str]":
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(
            arguments, cwd=self.folder, env=self.environ, encoding="utf-8", **{**pipes, **options}
        )

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        with self.start(*arguments) as process:
            out, err = process.communicate(timeout=180)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def aws(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return self.run(PROGRAM, *arguments)

    def train(self, *arguments: str) -> tuple[str, ...]:
        common = ("--instance-type", "ml.m5.large", "--entry-point", "train.py", "--max-run", "600")
        return ("train", "--aws", "--image", self.images["training"], *common,
                "-i", "train=data", *arguments)  # fmt: skip

    def python(self, program: str) -> "subprocess.CompletedProcess[str]":
        (self.folder / "program.py").write_text(program)
        return self.run(sys.executable, "program.py", *self.images.values())


@pytest.fixture(scope="module")
def account(
    tmp_path_factory: pytest.TempPathFactory,
    images: Mapping[str, str],
    docker_cli: Callable[..., "subprocess.CompletedProcess[str]"],
) -> Iterator[Account]:
    folder = tmp_path_factory.mktemp("launch")
    names = {}
    for kind in ("training", "processing", "serving"):
        names[kind] = f"launch-{uuid.uuid4().hex[:8]}.example/{kind}:1"
        docker_cli("tag", images[kind], names[kind])
    work = folder / "work"
    (work / "data" / "deep").mkdir(parents=True)
    (work / "data" / "a.csv").write_text("1,2")
    (work / "data" / "deep" / "b.csv").write_text("3,4")
    for name, text in {"train.py": TRAIN, "copy_it.py": COPY}.items():
        (work / name).write_text(text)
    (work / "model" / "code").mkdir(parents=True)
    (work / "model" / "model.txt").write_text("M")
    (work / "model" / "code" / "inference.py").write_text(SERVE)
    with tarfile.open(work / "model.tar.gz", "w:gz") as archive:
        for entry in ("model.txt", "code"):
            archive.add(work / "model" / entry, entry)
    data = str(folder / "data")
    subprocess.run([PROGRAM, "--data", data, "up", "--port", "0", "--detach"], check=True)
    told = subprocess.run(
        ["bash", "-c", f'eval "$("{PROGRAM}" --data "{data}" env)" && env -0'],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    environ = dict(item.split("=", 1) for item in told.split("\0") if item)
    environ |= {"SAGEDOCK_DATA": str(folder / "elsewhere"), "AWS_REGION": "us-east-1"}
    yield Account(work, names, environ)
    subprocess.run([PROGRAM, "--data", data, "down"], check=True)
    docker_cli("rmi", "--no-prune", *names.values())
    assert not (folder / "elsewhere" / "sagedock.db").exists()  # nothing local took a part


# the terminal


def test_training_and_the_second_time_nothing_is_sent(account):
    done = account.aws(*account.train("-p", "epochs=2", "--metric", "loss=loss=([0-9.]+)"))
    assert (done.returncode, done.stderr) == (0, "")
    log, _, summary = done.stdout.partition("\n\n")
    assert "Uploading " in log
    assert "2 files, 6 bytes" in log
    assert "read a.csv 1,2\nread deep/b.csv 3,4\n" in log
    assert "100% epoch 0\tloss=1.00\n100% epoch 1\tloss=0.50\nthe very last line\n" in log
    assert " Training - " in log
    assert "Console: https://us-east-1.console.aws.amazon.com/" in log
    assert "Status    Completed\n" in summary
    assert "Metric    loss = 0.5\n" in summary
    assert f"Model     s3://{BUCKET}/training-" in summary
    again = account.aws(*account.train("--json"))
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["TrainingJobStatus"] == "Completed"
    assert "Unchanged: " in again.stderr
    assert "Uploaded to" not in again.stderr


def test_a_failed_job_is_told_with_all_of_its_log(account):
    done = account.aws(*account.train("-p", "fail=1", "--name", "bad"))
    assert done.returncode == 13
    assert "ValueError: the data is odd" in done.stdout
    assert "error: Training job bad failed: AlgorithmError: ValueError: the data is odd" in (
        done.stderr
    )
    assert "hint: Its whole log: sagedock logs bad --aws --region us-east-1" in done.stderr
    taken = account.aws(*account.train("--name", "bad"))
    assert (taken.returncode, "exists already" in taken.stderr) == (11, True)


def test_a_dry_run_is_what_the_service_would_take_and_changes_nothing(account):
    done = account.aws(*account.train("--dry-run", "--bucket", "never-made"))
    assert done.returncode == 0, done.stderr
    request = json.loads(done.stdout)
    assert request["OutputDataConfig"]["S3OutputPath"] == "s3://never-made"
    listed = account.aws("ls", "--aws")
    assert "never-made" not in listed.stdout


def test_processing(account):
    done = account.aws(
        "process", "--aws", "--image", account.images["processing"], "--instance-type",
        "ml.m5.large", "--code", "copy_it.py", "-i", "in=data:/opt/ml/processing/in",
        "-o", f"out=/opt/ml/processing/out:s3://{BUCKET}/copied", "--", "--flag", "x y",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "arguments ['--flag', 'x y']" in done.stdout
    assert f"Output    out: s3://{BUCKET}/copied\n" in done.stdout
    fetched = account.aws("cp", "--aws", f"s3://{BUCKET}/copied/copy.csv", "copied.csv")
    assert fetched.returncode == 0, fetched.stderr
    assert (account.folder / "copied.csv").read_text() == "1,2"


def test_transform_with_a_model_of_this_machine(account):
    done = account.aws(
        "transform", "--aws", "--image", account.images["serving"], "--model-data", "model.tar.gz",
        "-i", "data/a.csv", "--content-type", "text/csv", "--instance-type", "ml.m5.large",
        "-o", f"s3://{BUCKET}/scores",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    place = f"s3://{BUCKET}/scores/a.csv.out"
    assert account.aws("cp", "--aws", place, "a.out").returncode == 0
    assert (account.folder / "a.out").read_text() == "M: 1,2\n"


def test_an_endpoint(account):
    done = account.aws(
        "serve", account.images["serving"], "--aws", "--model-data", "model.tar.gz", "--name",
        "live", "--instance-type", "ml.m5.large",
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "live\n"), done.stderr
    assert "Endpoint live: InService" in done.stderr
    assert "Delete it:  sagedock delete-endpoint live --aws --region us-east-1" in done.stderr
    answer = account.aws("invoke", "live", "--aws", "--body", "data/a.csv")
    assert (answer.returncode, answer.stdout) == (0, "M: 1,2\n"), answer.stderr
    gone = account.aws("delete-endpoint", "live", "--aws")
    assert gone.returncode == 0, gone.stderr


# interrupts


def started(account, *arguments, **options):
    process = account.start(PROGRAM, *account.train("-p", "epochs=600", "-p", "seconds=0.1",
                                                    *arguments), **options)  # fmt: skip
    name = arguments[arguments.index("--name") + 1]
    end = time.monotonic() + 90
    while "epoch 1" not in account.aws("logs", name, "--aws").stdout:
        assert time.monotonic() < end
        time.sleep(0.3)
    return process


def status(account, name):
    described = account.aws("describe", name, "--aws", "--json")
    return json.loads(described.stdout)["TrainingJobStatus"]


def test_without_a_terminal_an_interrupt_leaves_the_job_running(account):
    process = started(account, "--name", "goes-on")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted: training job goes-on is InProgress on AWS." in err
    assert "Stop it:   sagedock stop goes-on --aws --region us-east-1" in err
    assert status(account, "goes-on") == "InProgress"
    assert account.aws("stop", "goes-on", "--aws").returncode == 0
    end = time.monotonic() + 60
    while status(account, "goes-on") != "Stopped":
        assert time.monotonic() < end
        time.sleep(0.3)


class Screen:
    """A pseudo terminal that a program has for its own."""

    def __init__(self) -> None:
        self._main, self.side = pty.openpty()
        self._text = ""

    def until(self, words: str) -> None:
        end = time.monotonic() + 60
        while words not in self._text:
            assert time.monotonic() < end, self._text[-2000:]
            self._text += os.read(self._main, 65536).decode("utf-8", "replace")
        self._text = self._text.partition(words)[2]

    def type(self, text: str) -> None:
        os.write(self._main, text.encode())

    def close(self) -> None:
        os.close(self._main)
        os.close(self.side)


def test_at_a_terminal_an_interrupt_asks(account):
    screen = Screen()
    side = {"stdin": screen.side, "stdout": screen.side, "stderr": screen.side}
    process = started(account, "--name", "asked", **side)
    process.send_signal(signal.SIGINT)
    screen.until("[s]top it, [l]eave it running, [w]atch on")
    screen.type("w\n")
    screen.until("epoch ")
    assert status(account, "asked") == "InProgress"
    process.send_signal(signal.SIGINT)
    screen.until("[w]atch on")
    screen.type("s\n")
    screen.until("Stopped")
    assert process.wait(timeout=60) == 13
    screen.close()
    assert status(account, "asked") == "Stopped"


# Python

PYTHON = """
import sys
from sagedock import (AwsSession, Estimator, Model, Predictor, ProcessingInput, ProcessingOutput,
                      ScriptProcessor)

training, processing, serving = sys.argv[1:]
session = AwsSession()
estimator = Estimator(training, instance_type="ml.m5.large", entry_point="train.py",
                      hyperparameters={"epochs": 2}, sagemaker_session=session)
estimator.fit({"train": "data"}, experiment_config={"ExperimentName": "churn"})
print("model data", estimator.model_data)
again = Estimator.attach(estimator.latest_training_job.name, session)
print("attached", again.model_data == estimator.model_data, again.hyperparameters())

processor = ScriptProcessor(processing, ["python3"], None, 1, "ml.m5.large",
                            sagemaker_session=session)
processor.run("copy_it.py", [ProcessingInput("data", "/opt/ml/processing/in")],
              [ProcessingOutput("/opt/ml/processing/out", output_name="out")])
print("copied", session.read(processor.latest_job.output_uris()["out"] + "/copy.csv"))

model = Model(serving, "model.tar.gz", sagemaker_session=session)
transformer = model.transformer(1, "ml.m5.large")
transformer.transform("data/a.csv", content_type="text/csv")
print("scored", session.read(transformer.output + "/a.csv.out"))
predictor = model.deploy(1, "ml.m5.large")
print("predicted", predictor.predict("5,6"))
predictor.delete_model()
predictor.delete_endpoint()
predictor.close()
session.close()
"""


def test_the_same_facades_from_python(account):
    done = account.python(PYTHON)
    assert done.returncode == 0, done.stdout + done.stderr
    for line in (
        "the very last line",
        "attached True {'epochs': 2}",
        "copied b'1,2'",
        "scored b'M: 1,2\\n'",
        "predicted b'M: 5,6\\n'",
    ):
        assert f"\n{line}\n" in done.stdout
    assert f"model data s3://{BUCKET}/training-" in done.stdout
