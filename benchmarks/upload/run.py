"""Uploads of local inputs beside `aws s3 sync` and boto3's upload_file, to S3 on this machine.

    benchmarks/upload/run [--rounds 5] [--small 2000] [--large 4]

Each is a whole process, start included; a round takes each in turn with contents that nobody has
seen yet, so that a machine that slows down slows all of them down. `again` is the same folder once
more, `changed` once more with one file changed. Shown are medians of seconds, medians of the
rounds' ratios (a peer's seconds to ours: above 1 ours is faster), and the most memory. The server
is `sagedock run`'s own, on the same cores: figures are for comparing, not of S3.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
BUCKET = "sagemaker-us-east-1-000000000000"
SMALL_BYTES, LARGE_BYTES = 4_000, 64 << 20
Result = tuple[float, float]
"""Seconds, and the most memory in MB."""


def timed(command: list[str]) -> Result:
    """Run a process to its end. Raises RuntimeError where it fails."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    words = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command}: {words.decode()[-2000:]}")
    return seconds, usage.ru_maxrss / 1024


def commands(peers: Path, folder: Path, prefix: str) -> dict[str, list[str]]:
    """How each uploads `folder`."""
    python = str(peers / "bin" / "python")
    target = f"s3://{BUCKET}/{prefix}/sync"
    return {
        "ours": [sys.executable, str(HERE / "ours.py"), str(folder)],
        "aws s3 sync": [str(peers / "bin" / "aws"), "s3", "sync", "--only-show-errors",
                        str(folder), target],
        "upload_file": [python, str(HERE / "plain.py"), str(folder), BUCKET, f"{prefix}/plain"],
    }  # fmt: skip


def fill(folder: Path, small: int, large: int) -> None:
    """Files with contents of their own."""
    shutil.rmtree(folder, ignore_errors=True)
    for number in range(small):
        place = folder / f"{number % 20}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}.csv").write_bytes(os.urandom(SMALL_BYTES))
    folder.mkdir(exist_ok=True)
    for number in range(large):
        (folder / f"large-{number}").write_bytes(os.urandom(LARGE_BYTES))


def measured(peers: Path, folder: Path, rounds: int, small: int, large: int, label: str) -> None:
    """One kind of folder, all programs, printed."""
    found: dict[tuple[str, str], list[Result]] = defaultdict(list)
    for number in range(rounds):
        fill(folder, small, large)
        prefix = f"{label}-{number}"
        for step in ("first", "again", "changed"):
            if step == "changed":
                next(path for path in sorted(folder.rglob("*")) if path.is_file()).write_bytes(
                    os.urandom(SMALL_BYTES + 1)
                )
            for name, command in commands(peers, folder, prefix).items():
                found[step, name].append(timed(command))
    print(f"\n{label}: {small} files of {SMALL_BYTES} bytes, {large} of {LARGE_BYTES >> 20} MB")
    for (step, name), results in found.items():
        ours = [seconds for seconds, _ in found[step, "ours"]]
        seconds = [item for item, _ in results]
        ratio = median(mine / base for mine, base in zip(seconds, ours, strict=True))
        memory = max(item for _, item in results)
        print(f"  {step:8} {name:12} {median(seconds):7.2f} s   x {ratio:5.2f}   {memory:5.0f} MB")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--small", type=int, default=2000)
    parser.add_argument("--large", type=int, default=4)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sagedock-upload-") as place:
        folder = Path(place) / "data"
        measured(given.peers, folder, given.rounds, given.small, 0, "small")
        measured(given.peers, folder, given.rounds, 0, given.large, "large")


if __name__ == "__main__":
    main()
