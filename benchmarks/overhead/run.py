"""What a job costs beyond its container: sagedock, a bare `docker run`, SageMaker SDK v2.

Each round runs every side once, in turn, on the same image, so that a machine that slows down
slows all of them down. Prints medians, and medians of each round's differences and ratios.

    python benchmarks/overhead/run.py [--rounds 11] [--peers .venv-peers]

The peer needs `pip install 'sagemaker<3'` in an environment of its own, and docker-compose.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
IMAGE = "sagedock-bench/overhead:latest"
# The SDK wants a region and credentials even for a job that never leaves the machine.
DUMMY = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "dummy",
    "AWS_SECRET_ACCESS_KEY": "dummy",
}


@dataclass(frozen=True)
class Run:
    """Seconds: the whole process, and `fit()` in it where there is one."""

    whole: float
    fit: float | None


def timed(command: list[str], folder: Path, extra: dict[str, str] | None = None) -> Run:
    begun = time.perf_counter()
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **(extra or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    whole = time.perf_counter() - begun
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} exited with {done.returncode}:\n{done.stdout}{done.stderr}")
    fits = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("fit ")]
    return Run(whole, float(fits[-1]) if fits else None)


def sides(peers: Path, folder: Path) -> dict[str, tuple[list[str], dict[str, str]]]:
    data = {name: str(folder / name) for name in ("ours", "sdk")}
    for path in data.values():
        Path(path).mkdir()
    bare = ["docker", "run", "--rm", IMAGE, "train"]
    ours = [sys.executable, str(HERE / "ours.py"), IMAGE, data["ours"]]
    sdk = [str(peers / "bin" / "python"), str(HERE / "sdk_v2.py"), IMAGE, data["sdk"]]
    return {"docker run": (bare, {}), "sagedock": (ours, {}), "SDK v2 local": (sdk, DUMMY)}


def measure(rounds: int, peers: Path) -> dict[str, list[Run]]:
    folder = Path(tempfile.mkdtemp(prefix="sagedock-bench-"))
    try:
        contenders = sides(peers, folder)
        for command, extra in contenders.values():  # caches warm for everybody
            timed(command, folder, extra)
        results: dict[str, list[Run]] = {name: [] for name in contenders}
        for number in range(rounds):
            for name, (command, extra) in contenders.items():
                results[name].append(timed(command, folder, extra))
            print(f"round {number + 1} of {rounds}", file=sys.stderr)
        return results
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def show(results: dict[str, list[Run]]) -> None:
    print(f"{'':14}{'fit() s':>10}{'whole s':>10}{'fit - bare':>12}{'whole / ours':>14}")
    bare, ours = results["docker run"], results["sagedock"]
    for name, runs in results.items():
        fits = [run.fit for run in runs if run.fit is not None]
        above = [run.fit - base.whole for run, base in zip(runs, bare, strict=True) if run.fit]
        ratio = median(run.whole / own.whole for run, own in zip(runs, ours, strict=True))
        print(
            f"{name:14}"
            f"{median(fits) if fits else float('nan'):10.2f}"
            f"{median(run.whole for run in runs):10.2f}"
            f"{median(above) if above else float('nan'):12.2f}"
            f"{ratio:14.2f}"
        )
    ratios = [a.fit / b.fit for a, b in zip(results["SDK v2 local"], ours, strict=True)]
    print(f"SDK v2's fit() takes {median(ratios):.1f} times as long as sagedock's")


def docker(*arguments: str) -> list[str]:
    command = ["docker", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout.split()


def clean() -> None:
    """The peer leaves its containers and its network behind."""
    for container in docker("ps", "-aq", "--filter", f"ancestor={IMAGE}"):
        docker("rm", "-f", "-v", container)
    docker("rmi", "-f", IMAGE)
    for network in docker("network", "ls", "-q", "--filter", "name=sagemaker-local"):
        docker("network", "rm", network)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--peers", type=Path, default=Path(".venv-peers"))
    options = parser.parse_args()
    subprocess.run(["docker", "build", "-q", "-t", IMAGE, str(HERE)], check=True)
    try:
        show(measure(options.rounds, options.peers.absolute()))
    finally:
        clean()


if __name__ == "__main__":
    main()
