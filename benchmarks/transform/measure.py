"""Batch transform of one large CSV: our server and its peers, beside the limit of this machine.

    make images && .venv/bin/python benchmarks/transform/measure.py [--rounds 5] [--megabytes 100]
        [--peers classic toolkit inference-server] [--filters]

The limit is limit.py: two processes in the serving image that read, decode, predict, encode and
write the same file directly, with the server's own functions. Everything else is the project's
batch transform (payloads of 6 MB, several in flight, answers in order, output synced), against a
container with two workers that runs already. Every round takes each in turn; shares are medians of
the rounds' ratios, so that a machine that slows down slows all of them down. Outputs are compared
as float32.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "serving"))
from run import MAKE, OURS, TOLD, Server, build_peer, docker

from sagedock import requests
from sagedock.local.transform.processing import Processing
from sagedock.local.transform.progress import Progress
from sagedock.local.transform.server import ModelServer
from sagedock.local.transform.settings import TransformSettings
from sagedock.local.transform.work import Work
from sagedock.store.disk import DiskStore
from sagedock.store.uri import S3Uri

HERE = Path(__file__).resolve().parent
IN_FLIGHT = 4
FILTERS = {
    "ours, joined": {"JoinSource": "Input"},
    "ours, joined, filtered": {"JoinSource": "Input", "OutputFilter": "$[0,-1]"},
}


class Silent:
    def done(self, name: str, target: str) -> None:
        pass

    def failed(self, name: str, problem: str) -> None:
        sys.exit(f"{name}: {problem}")


class Limit:
    """limit.py in the serving image, told to begin by a line."""

    def __init__(self, model: Path, data: Path, out: Path) -> None:
        out.mkdir()
        self._process = subprocess.Popen(
            [
                "docker", "run", "--rm", "--interactive", "--label", "sagedock=bench",
                "-v", f"{model}:/opt/ml/model:ro", "-v", f"{data}:/data.csv:ro",
                "-v", f"{out}:/out", "-v", f"{HERE}/limit.py:/limit.py:ro",
                "-e", "SAGEMAKER_MAX_PAYLOAD_IN_MB=0", "--entrypoint", "python3", OURS,
                "/limit.py", "/data.csv", "/out", "2",
            ],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._out = out
        self._line()

    def _line(self) -> str:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            sys.exit("the limit has ended early")
        return line

    def run(self) -> tuple[float, bytes]:
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        seconds = float(self._line())
        return seconds, b"".join((self._out / f"part-{number}").read_bytes() for number in range(2))

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


class Transform:
    """The project's batch transform through one running container."""

    def __init__(self, address: tuple[str, int], store: DiskStore, data: S3Uri, **asked) -> None:
        self._server = ModelServer(address)
        self._store, self._data = store, data
        self.request = requests.transform_request(
            job_name="bench", model_name="bench", data_uri=str(data), output_uri="s3://bench/out",
            instance_type="ml.m5.large", content_type="text/csv", accept="text/csv",
            split_type="Line", assemble_with="Line", strategy="MultiRecord", max_payload=6,
            max_concurrent=IN_FLIGHT, processing=asked,
        )  # fmt: skip

    def run(self) -> tuple[float, bytes]:
        target, info = S3Uri("bench", "out/data.csv.out"), self._store.head(self._data)
        start = time.perf_counter()
        work = Work(
            server=self._server, settings=TransformSettings.resolve(self.request, {}),
            processing=Processing(self.request), store=self._store,
            progress=Progress(info.size, 1), told=Silent(), alive=lambda: True,
        )  # fmt: skip
        with work:
            work.run([(info, target)])
        seconds = time.perf_counter() - start
        with self._store.open(target) as stream:
            return seconds, stream.read()

    def close(self) -> None:
        self._server.close()


def write_data(folder: Path, megabytes: int) -> tuple[Path, int]:
    """A CSV of about so many MB; its rows."""
    lines = [
        ",".join(f"{value:g}" for value in row).encode()
        for row in np.load(folder / "X.npy").tolist()
    ]
    block = b"\n".join(lines) + b"\n"
    times = max(1, megabytes * 1_000_000 // len(block))
    path = folder / "data.csv"
    with path.open("wb") as file:
        for _ in range(times):
            file.write(block)
    return path, times * len(lines)


def scores(output: bytes) -> np.ndarray:
    return np.array([line.rpartition(b",")[2] for line in output.split()], np.float32)


def compare(ways: dict[str, Limit | Transform], rows: int, size: int, rounds: int) -> None:
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        known = None
        for name, way in ways.items():
            took, output = way.run()
            found = scores(output)
            if len(found) != rows:
                sys.exit(f"{name} gave {len(found)} answers to {rows} rows")
            if known is not None and not np.allclose(found, known, rtol=0, atol=1e-6):
                sys.exit(f"{name} answers otherwise than the limit")
            known = found if known is None else known
            if number:  # the first round warms everything up
                seconds[name].append(took)
    print(f"{rows} rows, {size / 1e6:.1f} MB: answers are equal")
    for name, found in seconds.items():
        ratios = [limit / took for limit, took in zip(seconds["limit"], found, strict=True)]
        speed = median(found)
        print(
            f"  {name:22} {rows / speed:9.0f} rows/s  {size / speed / 1e6:6.1f} MB/s"
            f"   {median(ratios):5.2f} of the limit  (from {min(ratios):.2f} to {max(ratios):.2f})"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--peers", nargs="*", default=["classic", "toolkit", "inference-server"])
    parser.add_argument("--filters", action="store_true", help="also with filters and joins")
    arguments = parser.parse_args()
    images = {"ours": OURS, **{name: build_peer(name) for name in arguments.peers}}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        docker("run", "--rm", "-v", f"{folder}:/out", "sagedock/base", "python3", "-c", MAKE)
        data, rows = write_data(folder, arguments.megabytes)
        store = DiskStore(folder / "store")
        store.create_bucket("bench")
        store.put_file(S3Uri("bench", "data.csv"), data)
        with contextlib.ExitStack() as open_things:
            open_things.callback(store.close)
            ways: dict[str, Limit | Transform] = {}
            ways["limit"] = Limit(folder / "xgboost", data, folder / "limit")
            open_things.callback(ways["limit"].close)
            for name, image in images.items():
                server = Server(image, folder / "xgboost", TOLD.get(name, {}))
                open_things.callback(server.remove)
                asked = {name: {}}
                if name == "ours" and arguments.filters:
                    asked |= FILTERS
                for label, processing in asked.items():
                    ways[label] = Transform(
                        server.address, store, S3Uri("bench", "data.csv"), **processing
                    )
                    open_things.callback(ways[label].close)
            compare(ways, rows, data.stat().st_size, arguments.rounds)


if __name__ == "__main__":
    main()
