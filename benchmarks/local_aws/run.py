"""What the local AWS costs: its start, its memory, its answers, and what it adds to others' work.

    make images && .venv/bin/python benchmarks/local_aws/run.py [--rounds 7]

Real jobs and a real endpoint in real containers, through `sagedock up` and boto3. Where there is a
peer both sides take turns, so that a machine that slows down slows both of them down: an
invocation through the server beside the same to the container's own port; a job with pollers beside
the same without; SDK v2's `fit(logs=True)` under `sagedock run` beside SDK v2's own local mode.
Shown are medians, and medians of each round's differences and ratios. Says which goals were missed.
"""

from __future__ import annotations

import argparse
import http.client
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from up import BUCKET, ROLE, SAGEDOCK, Up, ended, training, up

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
NOTHING = "sagedock-bench/nothing:latest"
TRAINING, SERVING = "sagedock/training:latest", "sagedock/serving:latest"
JOBS, POLLERS = 100, 20
SDK_SLEEPS = 5.0
"""Seconds that SDK v2 sleeps after it has created a job and before it asks for it the first time
(`sagemaker.session._wait_until`), whatever a server does; its local mode has no such sleep."""

BURN = """
import os, sys, time
begun = time.perf_counter()
children = []
for _ in range(int(sys.argv[1])):
    child = os.fork()
    if not child:
        sum(i * i for i in range(30_000_000))
        os._exit(0)
    children.append(child)
for child in children:
    os.waitpid(child, 0)
print("seconds", time.perf_counter() - begun)
"""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure and its goal: the most it may be, None where there is none."""

    name: str
    value: float
    unit: str
    goal: float | None = None

    @property
    def is_missed(self) -> bool:
        return self.goal is not None and self.value > self.goal

    def __str__(self) -> str:
        goal = "" if self.goal is None else f"goal {self.goal:g}"
        return f"{self.name:66}{self.value:9.3g} {self.unit:3} {goal:10}" + (
            " MISSED" if self.is_missed else ""
        )


def timed(call: Callable[[], Any]) -> float:
    """Milliseconds."""
    begun = time.perf_counter()
    call()
    return (time.perf_counter() - begun) * 1e3


def starts(folder: Path, rounds: int) -> Iterator[Figure]:
    seconds, rss, pss = [], [], []
    for number in range(rounds):
        with up(folder / f"start{number}") as server:
            time.sleep(1)
            seconds.append(server.seconds)
            rss.append(server.memory()["Rss"])
            pss.append(server.memory()["Pss"])
    yield Figure(name="start, to the first answer", value=median(seconds), unit="s", goal=1.0)
    yield Figure(name="idle memory, RSS", value=median(rss), unit="MB", goal=80)
    yield Figure(name="idle memory, PSS", value=median(pss), unit="MB", goal=80)


def describes(server: Up, name: str) -> Iterator[Figure]:
    client = server.client("sagemaker")
    bare = http.client.HTTPConnection("127.0.0.1", server.port)
    head = {"X-Amz-Target": "SageMaker.DescribeTrainingJob",
            "Content-Type": "application/x-amz-json-1.1"}  # fmt: skip

    def raw() -> None:
        bare.request("POST", "/", f'{{"TrainingJobName":"{name}"}}', head)
        bare.getresponse().read()

    times = [
        (timed(lambda: client.describe_training_job(TrainingJobName=name)), timed(raw))
        for _ in range(1000)
    ]
    bare.close()
    boto, own = zip(*times, strict=True)
    yield Figure(name="DescribeTrainingJob, p50, boto3", value=median(boto), unit="ms", goal=2)
    yield Figure(name="DescribeTrainingJob, p50, http.client", value=median(own), unit="ms")


# an endpoint


def model_of(server: Up) -> str:
    """Train a model on numbers; its data's URI."""
    numbers = random.Random(0)
    rows = [[numbers.uniform(0, 1) for _ in range(20)] for _ in range(1000)]
    text = "".join(f"{int(row[0] > row[1])},{','.join(f'{x:.4f}' for x in row)}\n" for row in rows)
    server.client("s3").put_object(Bucket=BUCKET, Key="rows/train.csv", Body=text.encode())
    client = server.client("sagemaker")
    hyperparameters = {"num_round": "50", "objective": "binary:logistic"}
    request = training("model", TRAINING, channel="rows", HyperParameters=hyperparameters)
    client.create_training_job(**request)
    artifacts: str = ended(client, "model")["ModelArtifacts"]["S3ModelArtifacts"]
    return artifacts


@contextmanager
def endpoint(server: Up, data: str) -> Iterator[tuple[str, int]]:
    """The endpoint `one`; its container's own address."""
    client = server.client("sagemaker")
    container = {"Image": SERVING, "ModelDataUrl": data}
    client.create_model(ModelName="one", PrimaryContainer=container, ExecutionRoleArn=ROLE)
    variant = {"VariantName": "all", "ModelName": "one", "InstanceType": "ml.m5.large",
               "InitialInstanceCount": 1}  # fmt: skip
    client.create_endpoint_config(EndpointConfigName="one", ProductionVariants=[variant])
    client.create_endpoint(EndpointName="one", EndpointConfigName="one")
    try:
        waiter = client.get_waiter("endpoint_in_service")
        waiter.wait(EndpointName="one", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        names = docker("ps", "--filter", "label=sagedock.endpoint=one", "--format", "{{.Names}}")
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        yield docker("inspect", "-f", form, names[0])[0], 8080
    finally:
        client.delete_endpoint(EndpointName="one")
        client.get_waiter("endpoint_deleted").wait(EndpointName="one")


def invocations(server: Up, address: tuple[str, int]) -> Iterator[Figure]:
    runtime = server.client("sagemaker-runtime")
    body = ",".join(["0.5"] * 20)
    bare = http.client.HTTPConnection(*address)
    answers: list[bytes] = []

    def own() -> None:
        bare.request("POST", "/invocations", body, {"Content-Type": "text/csv"})
        answers.append(bare.getresponse().read())

    def through() -> None:
        answer = runtime.invoke_endpoint(EndpointName="one", ContentType="text/csv", Body=body)
        answers.append(answer["Body"].read())

    for call in (own, through) * 20:
        call()
    times = [(timed(through), timed(own)) for _ in range(1000)]
    bare.close()
    if len(set(answers)) != 1:
        sys.exit(f"the endpoint does not answer as its container does: {set(answers)}")
    added = median(more - less for more, less in times)
    yield Figure(name="the container's own invocation, p50, http.client",
                 value=median(less for _, less in times), unit="ms")  # fmt: skip
    yield Figure(name="InvokeEndpoint through boto3 adds to it", value=added, unit="ms", goal=2)


# pollers beside a job


class Pollers:
    """POLLERS threads, each with a boto3 client, that describe JOBS jobs every second."""

    def __init__(self, server: Up, names: list[str]) -> None:
        self._stop, self.asked = threading.Event(), 0
        shares = [names[start::POLLERS] for start in range(POLLERS)]
        client = server.client("sagemaker")
        self._threads = [threading.Thread(target=self._poll, args=(client, s)) for s in shares]

    def __enter__(self) -> Pollers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _poll(self, client: Any, names: list[str]) -> None:
        due = time.monotonic() + random.random()
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            due += 1
            for name in names:
                client.describe_training_job(TrainingJobName=name)
            self.asked += len(names)


def many_jobs(server: Up) -> list[str]:
    """JOBS jobs that have ended: their input isn't there, so no container was needed."""
    client = server.client("sagemaker")
    names = [f"past-{number}" for number in range(JOBS)]
    for name in names:
        client.create_training_job(**training(name, TRAINING, channel="not-there"))
    for name in names:
        ended(client, name, "Failed")
    return names


def burned(server: Up, name: str, processes: int) -> float:
    """Seconds that a job of fixed work took, by its own clock, out of its log."""
    client, logs = server.client("sagemaker"), server.client("logs")
    command = ("python3", "/opt/ml/input/data/train/burn.py", str(processes))
    client.create_training_job(**training(name, TRAINING, channel="burn", command=command))
    while client.describe_training_job(TrainingJobName=name)["TrainingJobStatus"] == "InProgress":
        time.sleep(0.5)
    ended(client, name)
    group = {"logGroupName": "/aws/sagemaker/TrainingJobs"}
    stream = logs.describe_log_streams(**group, logStreamNamePrefix=name)["logStreams"][0]
    events = logs.get_log_events(**group, logStreamName=stream["logStreamName"])["events"]
    words = next(event["message"] for event in events if event["message"].startswith("seconds"))
    return float(words.split()[1])


def polled(server: Up, rounds: int) -> Iterator[Figure]:
    names = many_jobs(server)
    server.client("s3").put_object(Bucket=BUCKET, Key="burn/burn.py", Body=BURN.encode())
    cores = os.cpu_count() or 1
    for processes in sorted({1, cores}):
        ratios, shares, rates = [], [], []
        for number in range(rounds):
            name = f"burn-{processes}-{number}"
            alone = burned(server, f"{name}-before", processes)
            with Pollers(server, names) as pollers:
                begun, cpu = time.perf_counter(), server.cpu()
                beside = burned(server, f"{name}-polled", processes)
                seconds = time.perf_counter() - begun
            alone = (alone + burned(server, f"{name}-after", processes)) / 2
            ratios.append(beside / alone)
            shares.append((server.cpu() - cpu) / seconds * 100)
            rates.append(pollers.asked / seconds)
        what = f"a job on {processes} of {cores} cores beside {POLLERS} pollers, x alone"
        yield Figure(
            name=what, value=median(ratios), unit="", goal=1.05 if processes == 1 else None
        )
        yield Figure(
            name="  the server's CPU meanwhile, of one core", value=median(shares), unit="%"
        )
        yield Figure(name="  jobs described a second", value=median(rates), unit="/s")


# SDK v2


def fit_seconds(command: list[str | Path], extra: dict[str, str]) -> float:
    done = subprocess.run(command, env={**os.environ, **extra}, capture_output=True, text=True,
                          check=False)  # fmt: skip
    if done.returncode:
        sys.exit(f"{command} exited with {done.returncode}:\n{done.stdout}{done.stderr}")
    return float(next(x.split()[1] for x in done.stdout.splitlines() if x.startswith("fit ")))


def fits(folder: Path, rounds: int) -> Iterator[Figure]:
    ensure = [ROOT / "docker" / "ensure-sdks.sh", "v2"]
    found = subprocess.run(ensure, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    subprocess.run([ROOT / "docker" / "ensure-compose.sh"], check=True)
    local = folder / "local-mode"
    local.mkdir()
    program = [ROOT / found / "bin" / "python", HERE / "fit_v2.py", NOTHING, local]
    dummy = {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "dummy",
             "AWS_SECRET_ACCESS_KEY": "dummy"}  # fmt: skip
    ours, theirs = [], []
    for number in range(rounds + 1):
        run = [SAGEDOCK, "--data", folder / "run", "run", "--", *program, "service"]
        pair = fit_seconds(run, {}), fit_seconds([*program, "local"], dummy)
        if number:  # the first warms caches for both
            ours.append(pair[0])
            theirs.append(pair[1])
    pairs = list(zip(ours, theirs, strict=True))
    ratio = median(own / peer for own, peer in pairs)
    awake = median((own - SDK_SLEEPS) / peer for own, peer in pairs)
    yield Figure(
        name="fit(logs=True) of nothing, SDK v2, `sagedock run`", value=median(ours), unit="s"
    )
    yield Figure(name="the same in SDK v2's own local mode", value=median(theirs), unit="s")
    yield Figure(name="  ratio", value=ratio, unit="", goal=1.0)
    yield Figure(name=f"  ratio, less the {SDK_SLEEPS:g} s that the SDK sleeps by itself",
                 value=awake, unit="", goal=1.0)  # fmt: skip


# all of it


def docker(*arguments: str) -> list[str]:
    done = subprocess.run(["docker", *arguments], check=False, capture_output=True, text=True)
    return done.stdout.split()


def clean() -> None:
    """SDK v2's local mode leaves its containers and its network behind."""
    for container in docker("ps", "-aq", "--filter", f"ancestor={NOTHING}"):
        docker("rm", "-f", "-v", container)
    docker("rmi", "-f", NOTHING)
    for network in docker("network", "ls", "-q", "--filter", "name=sagemaker-local"):
        docker("network", "rm", network)


def measured(folder: Path, rounds: int) -> Iterator[Figure]:
    yield from starts(folder, rounds)
    with up(folder / "data") as server:
        data = model_of(server)
        yield from describes(server, "model")
        with endpoint(server, data) as address:
            yield from invocations(server, address)
        yield from polled(server, rounds)
        yield Figure(name="memory after all that, PSS", value=server.memory()["Pss"], unit="MB",
                     goal=80)  # fmt: skip
    yield from fits(folder, rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    context = ROOT / "benchmarks" / "overhead"
    subprocess.run(["docker", "build", "-q", "-t", NOTHING, context], check=True,
                   capture_output=True)  # fmt: skip
    folder = Path(tempfile.mkdtemp(prefix="sagedock-bench-"))
    try:
        for figure in measured(folder, rounds):
            print(figure, flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        clean()


if __name__ == "__main__":
    main()
