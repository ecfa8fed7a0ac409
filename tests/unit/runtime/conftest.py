"""A tree like /opt/ml in a temporary folder, and the real supervisor run as a process on it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sagedock.contract.paths import MLPaths

SOURCES = Path(__file__).parents[3] / "src"


class Container:
    """`train` as a process that believes that `root` is /opt/ml."""

    def __init__(self, root: Path) -> None:
        self.paths = MLPaths(str(root))
        Path(self.paths.input_config).mkdir(parents=True)
        Path(self.paths.output).mkdir(parents=True)

    def write_config(self, name: str, document: object) -> None:
        Path(self.paths.input_config, name).write_text(json.dumps(document), encoding="utf-8")

    def start(self, *words: str, **variables: str) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            "PYTHONPATH": str(SOURCES),
            "SAGEMAKER_BASE_DIR": self.paths.root,
            **variables,
        }
        return subprocess.Popen(
            [sys.executable, "-m", "sagedock.runtime.train", *words],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self, *words: str, **variables: str) -> tuple[int, str]:
        """Exit code and output of a whole run."""
        with self.start(*words, **variables) as process:
            output, _ = process.communicate(timeout=60)
        return process.returncode, output.decode("utf-8", "replace")

    def python(self, script: str, **variables: str) -> tuple[int, str]:
        return self.run("--", sys.executable, "-uc", script, **variables)

    def stop_when_it_says(self, word: bytes, number: int, script: str) -> tuple[int, str]:
        """Sends signal `number` to the supervisor once the script has printed `word`."""
        with self.start("--", sys.executable, "-uc", script) as process:
            assert process.stdout is not None
            seen = b""
            while word not in seen:
                piece = os.read(process.stdout.fileno(), 4096)
                assert piece, f"ended before it said {word!r}: {seen!r}"
                seen += piece
            process.send_signal(number)
            rest, _ = process.communicate(timeout=60)
        return process.returncode, (seen + rest).decode("utf-8", "replace")

    @property
    def failure(self) -> str | None:
        path = Path(self.paths.failure)
        return path.read_text(encoding="utf-8") if path.exists() else None

    @property
    def success(self) -> bool:
        return Path(self.paths.success).exists()


@pytest.fixture
def container(tmp_path: Path) -> Container:
    return Container(tmp_path / "ml")


def is_gone(pid: int, seconds: float = 10) -> bool:
    """Whether process `pid` ends within `seconds`; a zombie has ended."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        except FileNotFoundError:
            return True
        if state[0] == "Z":
            return True
        time.sleep(0.02)
    return False


@pytest.fixture
def kill_later():
    """Ends processes that a test has left behind, by their ids."""
    pids: list[int] = []
    yield pids.append
    for pid in pids:
        if not is_gone(pid, 0.05):
            os.kill(pid, signal.SIGKILL)
