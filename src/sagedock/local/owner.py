"""Starts the own process of a job or an endpoint: detached, so that it outlives whoever asked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from sagedock.local.process import Owner
from sagedock.local.records import Job
from sagedock.local.settings import LocalSettings

_DETACH = 'exec 3<&0; "$@" <&3 3<&- &'
"""A shell that leaves the command it was given to itself: a runner is nobody's child, so that its
caller has no zombie to reap. The shell gives such a command no standard input unless told to."""


def spawn(settings: LocalSettings, job: Job, log: Path) -> None:
    """Start a runner for `job`; it claims the job from this process, and only from this one.

    This process' settings go along through a pipe: they may hold credentials of a proxy, which
    belong neither on a command line nor in a file. What goes wrong in the runner itself is written
    to `log`.
    """
    _spawn(settings, "sagedock.local.runner", [job.kind, job.name], log)


def spawn_host(settings: LocalSettings, endpoint: str, log: Path) -> None:
    """Start the process that keeps an endpoint; it claims it from this process."""
    _spawn(settings, "sagedock.local.hosting.owner.runner", [endpoint], log)


def _spawn(settings: LocalSettings, module: str, arguments: list[str], log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    owner = Owner.me()
    command = [sys.executable, "-m", module, *arguments]
    with log.open("ab") as stream:
        subprocess.run(
            ["/bin/sh", "-c", _DETACH, "sh", *command, str(owner.pid), owner.started],
            input=settings.to_json().encode(),
            stdout=stream,
            stderr=stream,
            start_new_session=True,
            cwd="/",
            check=True,
        )
