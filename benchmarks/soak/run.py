"""A soak of a live endpoint: requests at full speed while workers are killed and the endpoint is
updated.

    make images && .venv/bin/python benchmarks/soak/run.py [--requests 200000] [--kill-every 10]

One request in a hundred is bad. Every N seconds one of the server's workers gets SIGKILL; half way
the endpoint is updated to a second model. What must hold, or this ends with 1:

- no wrong answer: each is bit for bit what XGBoost itself says of that row, by the model that was
  in service;
- every bad request is told as the caller's fault (4xx);
- no request is lost but those that a killed worker had: at most one for each connection and kill,
  within a second of it;
- memory is flat: server, owner and callers are no bigger in the second half than in the first.
"""

from __future__ import annotations

import argparse
import io
import json
import multiprocessing
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sagedock.errors import ModelError, SagedockError
from sagedock.local.client import LocalSageMaker
from sagedock.local.hosting.calls.runtime import LocalRuntime
from sagedock.local.settings import LocalSettings
from sagedock.store.uri import S3Uri

IMAGE = "sagedock/serving:latest"
ROLE = "arn:aws:iam::000000000000:role/Soak"
ENDPOINT = "soak"
BAD_EVERY = 100
GRACE = 1.0
ROOM = 1.15
"""What memory may be in the second half, as a multiple of what it was in the first."""
SAMPLES = 12
"""Fewer, taken once a second, say nothing of growth: a server has just begun."""

MAKE = """
import numpy as np, os, xgboost as xgb
r = np.random.default_rng(0)
X = r.normal(0, 30, (2000, 70)).round(2).astype(np.float32)
y = (X[:, 0] + X[:, 1] / 2 + r.normal(0, 10, 2000) > 0).astype(int)
np.save("/out/X.npy", X)
for name, seed in (("first", 1), ("second", 2)):
    settings = {"objective": "binary:logistic", "subsample": 0.5, "seed": seed}
    booster = xgb.train(settings, xgb.DMatrix(X, y), 50)
    booster.save_model("/out/model.ubj"); os.replace("/out/model.ubj", f"/out/{name}")
    np.save(f"/out/{name}.npy", booster.predict(xgb.DMatrix(X)))
"""
KILL = """
import os, random, signal, time
def parent(pid):
    return int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1])
workers = [int(p) for p in os.listdir("/proc") if p.isdigit() and parent(p) == 1
           and int(p) != os.getpid()]
if workers:
    victim = random.choice(workers); at = time.monotonic(); os.kill(victim, signal.SIGKILL)
    print(at)
"""
MEMORY = """
import os
total = 0
for pid in os.listdir("/proc"):
    if pid.isdigit() and int(pid) != os.getpid():
        try:
            text = open(f"/proc/{pid}/smaps_rollup").read()
        except OSError:
            continue
        total += int(text.split("Pss:")[1].split()[0]) if "Pss:" in text else 0
print(total)
"""


@dataclass
class Told:
    """What one calling process saw: times are of the machine's monotonic clock."""

    answers: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    lost: list[tuple[float, str]] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    bad: int = 0
    memory: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def call(
    settings: LocalSettings, folder: Path, count: int, threads: int, done: Any, out: Any
) -> None:
    """One calling process: `count` requests over `threads` connections."""
    rows = np.load(folder / "X.npy")
    bodies = [",".join(format(value, "g") for value in row).encode() for row in rows]
    expected = {name: np.load(folder / f"{name}.npy") for name in ("first", "second")}
    told, lock, numbers = Told(), threading.Lock(), iter(range(count))
    runtime = LocalRuntime(settings)

    def work() -> None:
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            if number % 500 == 0:
                told.memory.append(_resident("self"))
            _ask(runtime, number, bodies, expected, told)
            with done.get_lock():
                done.value += 1

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    runtime.close()
    out.put(told)


def _ask(
    runtime: LocalRuntime,
    number: int,
    bodies: list[bytes],
    expected: dict[str, np.ndarray],
    told: Told,
) -> None:
    bad = number % BAD_EVERY == 0
    row = number % len(bodies)
    body = b"1,2,what is this" if bad else bodies[row]
    begun = time.monotonic()
    try:
        answer = runtime.invoke_endpoint(EndpointName=ENDPOINT, Body=body, ContentType="text/csv")
        text = answer["Body"].read()
    except ModelError as error:
        if bad and 400 <= error.status < 500:
            told.bad += 1
        elif error.status == 0:
            told.lost.append((time.monotonic(), error.message))
        else:
            told.unexpected.append(f"{body[:40]!r}: {error.message}")
        return
    except SagedockError as error:
        told.unexpected.append(f"{type(error).__name__}: {error.message}")
        return
    told.seconds.append(time.monotonic() - begun)
    value = np.float32(text.decode())
    names = [name for name, values in expected.items() if value == values[row]]
    if bad or not names:
        told.wrong.append(f"row {row}: {text!r}")
        return
    told.answers[names[0]] = told.answers.get(names[0], 0) + 1


def _resident(pid: int | str) -> int:
    """Resident memory in KB."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0])


class Watch:
    """Kills workers and looks at memory, until told to end."""

    def __init__(self, client: LocalSageMaker, kill_every: float) -> None:
        self._client, self._kill_every = client, kill_every
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.kills: list[float] = []
        self.server: dict[str, list[int]] = {}
        self.owner: list[int] = []

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        next_kill = time.monotonic() + self._kill_every
        while not self._over.wait(min(1.0, self._kill_every / 4)):
            endpoint = self._client.endpoint(ENDPOINT)
            self.owner.append(_resident(endpoint.owner.pid))
            for route in endpoint.routes:
                found = _inside(route.instance, MEMORY)
                if found:
                    self.server.setdefault(route.instance, []).append(int(found))
            if time.monotonic() >= next_kill and endpoint.routes:
                at = _inside(endpoint.routes[-1].instance, KILL)
                if at:
                    self.kills.append(float(at))
                next_kill = time.monotonic() + self._kill_every


def _inside(instance: str, program: str) -> str:
    """What a program prints that runs in the instance's container; empty where that is gone."""
    names = _docker("ps", "-q", "--filter", f"name={instance}").split()
    return _docker("exec", names[0], "python3", "-c", program).strip() if names else ""


def _docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    return done.stdout


def prepare(client: LocalSageMaker, folder: Path) -> None:
    """Two models, two configurations, an endpoint of the first."""
    subprocess.run(
        ["docker", "run", "--rm", "--network", "none", "-v", f"{folder}:/out", IMAGE,
         "python3", "-c", MAKE],
        check=True,
    )  # fmt: skip
    client.store.create_bucket("soak")
    for name in ("first", "second"):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            archive.add(folder / name, "xgboost-model")
        uri = S3Uri("soak", f"{name}/model.tar.gz")
        client.store.put(uri, buffer.getvalue())
        container = {"Image": IMAGE, "ModelDataUrl": str(uri),
                     "Environment": {"SAGEMAKER_MODEL_SERVER_WORKERS": "2"}}  # fmt: skip
        client.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE)
        variant = {"VariantName": "AllTraffic", "ModelName": name, "InitialInstanceCount": 1,
                   "InstanceType": "ml.m5.large"}  # fmt: skip
        client.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    client.create_endpoint(EndpointName=ENDPOINT, EndpointConfigName="first")
    settle(client, "Creating")


def settle(client: LocalSageMaker, status: str) -> None:
    while client.endpoint(ENDPOINT).status == status:
        time.sleep(0.05)
    endpoint = client.endpoint(ENDPOINT)
    if endpoint.status != "InService" or endpoint.failure:
        sys.exit(f"endpoint {endpoint.status}: {endpoint.failure}")


def soak(
    client: LocalSageMaker, folder: Path, given: argparse.Namespace
) -> tuple[list[Told], Watch, float]:
    context = multiprocessing.get_context("spawn")
    done, out = context.Value("q", 0), context.Queue()
    each = given.requests // given.processes
    callers = [
        context.Process(target=call, args=(client.settings, folder, each, given.threads, done, out))
        for _ in range(given.processes)
    ]
    begun = time.monotonic()
    with Watch(client, given.kill_every) as watch:
        for caller in callers:
            caller.start()
        while done.value < given.requests // 2:
            time.sleep(0.1)
        client.update_endpoint(EndpointName=ENDPOINT, EndpointConfigName="second")
        settle(client, "Updating")
        told = [out.get() for _ in callers]
        for caller in callers:
            caller.join()
        seconds = time.monotonic() - begun
    return told, watch, seconds


def judge(told: list[Told], watch: Watch, connections: int) -> list[str]:
    """What did not hold, as sentences."""
    problems = [f"wrong answer: {item}" for one in told for item in one.wrong]
    problems += [f"unexpected: {item}" for one in told for item in one.unexpected]
    for at in watch.kills:
        lost = sum(at <= when <= at + GRACE for one in told for when, _ in one.lost)
        if lost > connections:
            problems.append(f"{lost} requests were lost by one kill, of {connections} connections")
    for one in told:
        problems += [
            f"lost without a kill: {text}"
            for when, text in one.lost
            if not any(at <= when <= at + GRACE for at in watch.kills)
        ]
    series = {"owner": watch.owner, **watch.server}
    series |= {f"caller {number}": one.memory for number, one in enumerate(told)}
    for name, values in series.items():
        first, last = _ends(values)
        if len(values) >= SAMPLES and last > first * ROOM:
            problems.append(f"memory of {name} went from {first:.0f} to {last:.0f} MB")
    return problems


def _ends(values: list[int]) -> tuple[float, float]:
    """MB at most in the first half, and in the second: a worker that was killed is missing from
    some samples, and a new one begins small."""
    half = max(1, len(values) // 2)
    return max(values[:half]) / 1000, max(values[half:] or values) / 1000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--requests", type=int, default=200_000)
    parser.add_argument("--kill-every", type=float, default=10.0, metavar="SECONDS")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--threads", type=int, default=4, help="connections of each process")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sagedock-soak-") as place:
        settings = LocalSettings.from_environment(data=Path(place) / "data")
        folder = Path(place) / "models"
        folder.mkdir()
        with closing(LocalSageMaker(settings)) as client:
            try:
                prepare(client, folder)
                told, watch, seconds = soak(client, folder, given)
            finally:
                end(client)
    problems = judge(told, watch, given.processes * given.threads)
    print(json.dumps(report(told, watch, seconds), indent=2))
    for problem in problems[:20]:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def end(client: LocalSageMaker) -> None:
    for endpoint in client.endpoints():
        client.delete_endpoint(EndpointName=endpoint.name)
    while client.endpoints():
        time.sleep(0.05)


def report(told: list[Told], watch: Watch, seconds: float) -> dict[str, Any]:
    times = sorted(value for one in told for value in one.seconds)
    by_model: dict[str, int] = {}
    for one in told:
        for name, count in one.answers.items():
            by_model[name] = by_model.get(name, 0) + count
    memory = {"owner": watch.owner, **watch.server}
    memory |= {f"caller {number}": one.memory for number, one in enumerate(told)}
    return {
        "seconds": round(seconds, 1),
        "right answers": by_model,
        "wrong answers": sum(len(one.wrong) for one in told),
        "bad requests told as such": sum(one.bad for one in told),
        "kills": len(watch.kills),
        "lost to kills": sum(len(one.lost) for one in told),
        "unexpected": sum(len(one.unexpected) for one in told),
        "requests a second": round(len(times) / seconds),
        "p50 ms": round(times[len(times) // 2] * 1e3, 2),
        "p99 ms": round(times[len(times) * 99 // 100] * 1e3, 2),
        "memory, MB, at most in the first and the second half": {
            name: [round(value, 1) for value in _ends(values)] for name, values in memory.items()
        },
    }


if __name__ == "__main__":
    sys.exit(main())
