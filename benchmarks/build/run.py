"""Rebuilds after a script has changed: `sagedock build` beside `docker build` by hand, in seconds.

Each round changes one line of a training script and rebuilds by every side once, in turn, so that a
machine that slows down slows all of them down. Prints medians, and the median of each round's
ratios.

    python benchmarks/build/run.py [--rounds 9]

user    a folder on sagedock/training with a script: `sagedock build FOLDER`, and `docker build`
ours    the project's own training image after a change of its supervisor (a copy of the files)

The images base, pandas and training must be there: `make images`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import sagedock
from sagedock.images import find_root
from sagedock.images.build import Builder
from sagedock.images.clients import CLASSIC
from sagedock.images.plan import BuildPlan, proxy_names, secrets

NAME = "sagedock-bench/build"
DOCKERFILE = f"""\
FROM sagedock/training:{sagedock.__version__}
COPY requirements.txt /opt/ml/code/requirements.txt
RUN cp /opt/ml/code/requirements.txt /opt/ml/code/installed
COPY train.py /opt/ml/code/train.py
ENV SAGEMAKER_PROGRAM=train.py
"""
GOAL = 2.0


def run(command: list[str], variables: dict[str, str]) -> None:
    done = subprocess.run(
        command, env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")


def builder_of(root: Path) -> Builder:
    return Builder(root=root, version="0", environ=os.environ, report=lambda line: None)


def sides(folder: Path, root: Path) -> dict[str, Callable[[], None]]:
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / "requirements.txt").write_text("")
    client = builder_of(folder).client()
    if client.kind == CLASSIC:
        sys.exit("This needs BuildKit: install the buildx plugin.")
    program = str(Path(sys.executable).with_name("sagedock"))
    by_hand = [*client.command, "--tag", f"{NAME}:hand", str(folder)]
    plan = BuildPlan(
        context=root,
        dockerfile=root / "containers" / "training" / "Dockerfile",
        tags=(f"{NAME}:ours",),
        build_args={"PARENT": f"sagedock/pandas:{sagedock.__version__}"},
        forwarded=proxy_names(os.environ),
        secrets=secrets(os.environ),
        labels={},
        platform="linux/amd64",
        budget=450_000_000,
    )
    return {
        "user": lambda: run([program, "build", str(folder), "-q", "-t", f"{NAME}:user"], {}),
        "hand": lambda: run(by_hand, dict(client.variables)),
        "ours": lambda: builder_of(root).execute("ours", plan) and None,
    }


def change(folder: Path, root: Path, number: int) -> None:
    text = f"print({number}, {time.time()})\n"
    (folder / "train.py").write_text(text)
    with (root / "src" / "sagedock" / "runtime" / "train.py").open("a") as file:
        file.write(f"# {text}")


def timed(action: Callable[[], None]) -> float:
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as place:
        folder, root = Path(place) / "user", Path(place) / "repository"
        folder.mkdir()
        for part in ("containers", "src/sagedock"):
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(find_root() / part, root / part, ignore=ignored)
        shutil.copy(find_root() / ".dockerignore", root)
        every = sides(folder, root)
        for number in range(2):  # the first builds fill the builder's cache
            change(folder, root, number)
            for action in every.values():
                action()
        seconds: dict[str, list[float]] = {name: [] for name in every}
        for number in range(rounds):
            for name in every if number % 2 else reversed(every):
                change(folder, root, number)
                seconds[name].append(timed(every[name]))
    ratios = [a / b for a, b in zip(seconds["user"], seconds["hand"], strict=True)]
    titles = {
        "user": "sagedock build FOLDER, its script changed",
        "hand": "docker build of the same by hand",
        "ours": "the training image, its supervisor changed",
    }
    for name, title in titles.items():
        goal = "" if name == "hand" else f"   goal {GOAL:.0f} s"
        print(f"{title:<44} {median(seconds[name]):5.2f} s{goal}")
    print(f"sagedock build / docker build, each round      {median(ratios):5.2f} x")
    for tag in ("user", "hand", "ours"):
        subprocess.run(
            ["docker", "image", "rm", "-f", f"{NAME}:{tag}"], capture_output=True, check=False
        )


if __name__ == "__main__":
    main()
