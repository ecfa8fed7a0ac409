"""S3 on this machine beside its peers, through boto3: large and small objects, memory.

    benchmarks/s3/run [--rounds 3] [--megabytes 1024] [--objects 500] [--servers ours moto …]

Every server is a process of its own on an empty folder, started anew for each round; a round takes
each in turn, so that a machine that slows down slows all of them down. Shown are medians, and the
medians of the rounds' ratios to ours. `ranged` is boto3's download_file (8 MB ranges by ten
threads) into memory, `stream` one GET, `puts` and `gets` objects of 1,000 bytes a second by eight
threads.
Ours syncs every object and verifies signatures and checksums; memory is the peak of the process.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from sagedock.server.http import free_port

HERE = Path(__file__).resolve().parent
PORT = free_port()
FIGURES = ("up", "ranged", "stream", "puts", "gets", "memory")


def commands(peers: Path, folder: Path) -> dict[str, list[str]]:
    """How each server is started."""
    port = str(PORT)
    return {
        "ours": [sys.executable, str(HERE / "ours.py"), port, str(folder)],
        "moto": [str(peers / "bin" / "moto_server"), "-H", "127.0.0.1", "-p", port],
        "nanio": [str(peers / "bin" / "nanio"), "serve", "--host", "127.0.0.1", "--port", port,
                  "--data-dir", str(folder)],
        "localbucket": [str(peers / "bin" / "localbucket"), "--port", port, str(folder)],
    }  # fmt: skip


@contextlib.contextmanager
def running(command: list[str]) -> Iterator[int]:
    """The server's process id, once it listens; it is ended afterwards."""
    key = {"NANIO_ACCESS_KEY": "test", "NANIO_SECRET_KEY": "test"}  # nanio takes them only so
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env={**os.environ, **key}, **quiet) as server:
        try:
            wait_for(server)
            yield server.pid
        finally:
            server.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(10)
            server.kill()


def wait_for(server: subprocess.Popen[bytes]) -> None:
    """Until it listens. Raises RuntimeError."""
    import socket

    for _ in range(300):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", PORT), 1):
            return
        if server.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError(f"{server.args!r} does not listen")


def peak(pid: int) -> float:
    """The most memory that a process and its children have had, in MB."""
    total = 0.0
    for process in [pid, *children(pid)]:
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                total += int(line.split()[1]) * 1024 / 1e6
    return total


def children(pid: int) -> list[int]:
    """Processes that the process has started, and those that they have."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            found += [child, *children(child)]
    return found


def measure(name: str, peers: Path, work: Path, source: Path, objects: int) -> dict[str, float]:
    """One round of one server."""
    folder = work / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with running(commands(peers, folder)[name]) as pid:
        done = subprocess.run(
            [peers / "bin" / "python", HERE / "client.py", f"http://127.0.0.1:{PORT}", source,
             str(objects)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{name}: {done.stderr[-1500:]}")
        figures: dict[str, float] = json.loads(done.stdout)
        figures["memory"] = peak(pid)
    shutil.rmtree(folder, ignore_errors=True)
    return figures


def show(rounds: dict[str, list[dict[str, float]]]) -> None:
    """The table: medians, and ours in relation to each peer."""
    print(f"{'':12}" + "".join(f"{name:>20}" for name in FIGURES))
    for server, found in rounds.items():
        cells = []
        for figure in FIGURES:
            text = f"{median(one[figure] for one in found):.0f}"
            if server != "ours" and "ours" in rounds:
                pairs = zip(rounds["ours"], found, strict=True)
                text += f" ({median(ours[figure] / one[figure] for ours, one in pairs):.2f} x)"
            cells.append(f"{text:>20}")
        print(f"{server:12}" + "".join(cells))
    print("up, ranged, stream: MB/s; puts, gets: a second; memory: MB; in brackets ours / theirs")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--peers", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--objects", type=int, default=500)
    parser.add_argument("--servers", nargs="+", default=["ours", "moto", "nanio", "localbucket"])
    chosen = parser.parse_args()
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in chosen.servers}
    with tempfile.TemporaryDirectory(prefix="s3-bench-") as folder:
        source = Path(folder) / "source"
        with source.open("wb") as file:
            for _ in range(chosen.megabytes):
                file.write(os.urandom(1 << 20))
        for number in range(chosen.rounds):
            for name in chosen.servers:
                figures = measure(
                    name, chosen.peers.resolve(), Path(folder), source, chosen.objects
                )
                rounds[name].append(figures)
                told = ", ".join(f"{figure} {figures[figure]:.0f}" for figure in FIGURES)
                print(f"round {number + 1}, {name}: {told}", flush=True)
    show(rounds)


if __name__ == "__main__":
    main()
