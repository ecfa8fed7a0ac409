"""Our serving image against other ways to serve the same models, side by side.

    make images && .venv/bin/python benchmarks/serving/run.py [--rounds 3] [--peers classic toolkit]

Peers: `classic` (the tutorials' gunicorn, Flask and pandas), `toolkit` (AWS's sagemaker-inference
on multi-model-server), `inference-server` (from PyPI, with fast functions), and our own ASGI
application, model and batches on two servers: `uvicorn` (as the image falls back on it) and
`granian`. AWS's own XGBoost container is in no package index, and no registry is asked for it.

Every round asks every server in turn, in the same container network, two workers each; ratios are
medians over the rounds, so that a machine that slows down slows all of them down. Answers are
compared as float32. CPU is the server's own, from its processes; memory is PSS, what is shared
counted once. Bounded: each measurement asks a fixed number of requests, to containers started here.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from load import run

from sagedock.images import find_root
from sagedock.images.build import Builder
from sagedock.images.plan import BuildPlan, proxy_names, secrets

HERE = Path(__file__).resolve().parent
OURS = "sagedock/serving:latest"
PEERS = {
    "classic": "sagedock/processing:latest",
    "toolkit": "sagedock/processing:latest",
    "inference-server": "sagedock/processing:latest",
    "uvicorn": "",
    "granian": "sagedock/serving:latest",
}
"""What each peer's image is built on; none for our own image, told otherwise."""
TOLD = {"uvicorn": {"SAGEMAKER_MODEL_SERVER_TIMEOUT": "60"}}
"""A time-out needs a task for each request: all of them go by way of uvicorn and ASGI."""
MAKE = """
import joblib, numpy as np, os, xgboost as xgb
from sklearn.ensemble import RandomForestClassifier
r = np.random.default_rng(0)
X = r.normal(0, 30, (4000, 70)).round(2).astype(np.float32)
y = (X[:, 0] + X[:, 1] / 2 + r.normal(0, 10, 4000) > 0).astype(int)
os.makedirs("/out/xgboost"); os.makedirs("/out/forest")
b = xgb.train({"objective": "binary:logistic", "max_depth": 6}, xgb.DMatrix(X, y), 100)
b.save_model("/out/m.ubj"); os.replace("/out/m.ubj", "/out/xgboost/xgboost-model")
joblib.dump(RandomForestClassifier(100, random_state=0).fit(X, y), "/out/forest/model.joblib")
np.save("/out/X.npy", X)
"""


@dataclass(frozen=True, kw_only=True)
class Task:
    model: str
    rows: int
    connections: int
    count: dict[str, int]

    @property
    def name(self) -> str:
        return f"{self.model}, {self.rows} row(s), {self.connections} connections"


TASKS = (
    Task(model="xgboost", rows=1, connections=16, count={"ours": 40000, "peer": 1200}),
    Task(model="xgboost", rows=1, connections=1, count={"ours": 3000, "peer": 300}),
    Task(model="xgboost", rows=1000, connections=4, count={"ours": 400, "peer": 120}),
    Task(model="forest", rows=1, connections=16, count={"ours": 20000, "peer": 600}),
    Task(model="forest", rows=1000, connections=4, count={"ours": 80, "peer": 60}),
)


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"docker {' '.join(arguments)}: {done.stderr}")
    return done.stdout.strip()


class Server:
    """One running container, asked at its own address."""

    def __init__(self, image: str, model: Path, told: Mapping[str, str]) -> None:
        start = time.perf_counter()
        environment = {"SAGEMAKER_MODEL_SERVER_WORKERS": "2", **told}
        self.id = docker(
            "run", "--detach", "--label", "sagedock=bench", "-v", f"{model}:/opt/ml/model:ro",
            *(word for item in environment.items() for word in ("-e", "=".join(item))),
            image, "serve",
        )  # fmt: skip
        networks = json.loads(
            docker("inspect", "-f", "{{json .NetworkSettings.Networks}}", self.id)
        )
        self.address = (next(iter(networks.values()))["IPAddress"], 8080)
        while not self._answers():
            if time.perf_counter() - start > 90:
                sys.exit(f"{image} does not start:\n{docker('logs', self.id)}")
            time.sleep(0.01)
        self.start = time.perf_counter() - start

    def _answers(self) -> bool:
        import http.client

        connection = http.client.HTTPConnection(*self.address, timeout=5)
        try:
            connection.request("GET", "/ping")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def processes(self) -> list[str]:
        return docker("top", self.id, "-eo", "pid").split()[1:]

    def cpu(self) -> float:
        """Seconds of all its processes so far."""
        ticks = 0
        for pid in self.processes():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """MB, PSS."""
        texts = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in self.processes()]
        return sum(int(text.split("Pss:")[1].split()[0]) for text in texts) / 1000

    def remove(self) -> None:
        docker("rm", "--force", "--volumes", self.id)


def build_peer(name: str) -> str:
    """Its context is its own folder, with the project's script for this machine's index."""
    if not PEERS[name]:
        return OURS
    tag = f"sagedock-bench/{name}:latest"
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder)
        shutil.copytree(HERE / name, context, dirs_exist_ok=True)
        shutil.copy(find_root() / "containers/tools/network.sh", context)
        plan = BuildPlan(
            context=context,
            dockerfile=context / "Dockerfile",
            tags=(tag,),
            build_args={"PARENT": PEERS[name]},
            forwarded=proxy_names(os.environ),
            secrets=secrets(os.environ),
            labels={},
        )
        builder = Builder(root=context, version="0", environ=os.environ, report=lambda line: None)
        builder.execute(name, plan)
    return tag


def as_numbers(body: bytes) -> np.ndarray:
    return np.array(body.replace(b",", b"\n").split(), np.float32)


def compare(task: Task, servers: dict[str, Server], bodies: list[bytes], rounds: int) -> None:
    figures: dict[str, list[tuple[float, float, float, float]]] = {name: [] for name in servers}
    for number in range(rounds + 1):
        known: dict[int, np.ndarray] = {}
        for name, server in servers.items():
            count = task.count["ours" if name in ("ours", "uvicorn", "granian") else "peer"]
            before = server.cpu()
            result = run(server.address, bodies, connections=task.connections, count=count)
            cpu = (server.cpu() - before) / count
            if result.failures:
                sys.exit(f"{name}: {result.failures} requests failed in {task.name}")
            for key, body in result.answers.items():
                found = as_numbers(body)
                if key in known and not np.array_equal(known[key], found):
                    sys.exit(f"{name} answers otherwise than the others in {task.name}")
                known.setdefault(key, found)
            late = result.latencies
            figures[name].append(
                (count / result.seconds, cpu, late[len(late) // 2], late[int(len(late) * 0.99)])
            )
        if number == 0:  # the first round warms everything up
            figures = {name: [] for name in servers}
    print(f"\n{task.name}: answers are equal")
    for name, rows in figures.items():
        rate, cpu, p50, p99 = (median(column) for column in zip(*rows, strict=True))
        ratios = [o[0] / r[0] for o, r in zip(figures["ours"], rows, strict=True)]
        cpus = [r[1] / o[1] for o, r in zip(figures["ours"], rows, strict=True)]
        print(
            f"  {name:16} {rate:8.0f} requests/s  CPU {cpu * 1e6:7.0f} µs  p50 {p50 * 1e3:7.2f} ms"
            f"  p99 {p99 * 1e3:7.2f} ms   ours: {median(ratios):5.1f} x as many,"
            f" 1/{median(cpus):.1f} of the CPU"
        )


def measure(model: str, folder: Path, images: dict[str, str], rounds: int) -> None:
    servers = {
        name: Server(image, folder / model, TOLD.get(name, {})) for name, image in images.items()
    }
    try:
        lines = [
            ",".join(f"{v:g}" for v in row).encode() for row in np.load(folder / "X.npy").tolist()
        ]
        for task in (task for task in TASKS if task.model == model):
            bodies = [b"\n".join(lines[i : i + task.rows]) for i in range(0, 4000, task.rows)]
            compare(task, servers, bodies, rounds)
        print(f"\n{model}: started, and memory after the load")
        for name, server in servers.items():
            print(f"  {name:16} /ping after {server.start:5.2f} s   {server.memory():6.0f} MB PSS")
    finally:
        for server in servers.values():
            server.remove()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=list(PEERS))
    arguments = parser.parse_args()
    images = {"ours": OURS, **{name: build_peer(name) for name in arguments.peers}}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        docker("run", "--rm", "-v", f"{folder}:/out", "sagedock/base", "python3", "-c", MAKE)
        for model in ("xgboost", "forest"):
            measure(model, folder, images, arguments.rounds)


if __name__ == "__main__":
    main()
