"""Starts a job's own process: detached, so that it outlives whoever asked for the job."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from sagedock.local.records import Job


def spawn(data: Path, job: Job, log: Path) -> None:
    """Start a runner for `job`; it claims the job from this process. What goes wrong in the
    runner itself is written to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "sagedock.local.runner", str(data), job.kind, job.name]
    with log.open("ab") as stream:
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
            cwd="/",
        )
