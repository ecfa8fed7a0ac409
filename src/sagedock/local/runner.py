"""The process that owns one job: `python -m sagedock.local.runner KIND NAME PID STARTED`, the
settings as JSON on standard input. PID and STARTED name the owner that the job is taken from."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from types import FrameType

from sagedock.local.client import LocalSageMaker
from sagedock.local.process import Owner
from sagedock.local.records import Kind
from sagedock.local.settings import LocalSettings


def main(kind: str, name: str, pid: str, started: str) -> int:
    """Take the job over and run it to its end. Exits 0 whatever becomes of the job."""
    giver = Owner(pid=int(pid), started=started)
    return own(lambda client: client.take_over(Kind(kind), name, giver))


def own(work: Callable[[LocalSageMaker], None]) -> int:
    """Do an owner's work with the settings on standard input; an exit code.

    SIGTERM and SIGINT end the work in order: what it owns is stopped, not orphaned.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    client = LocalSageMaker(LocalSettings.from_json(sys.stdin.read()), attended=True)
    try:
        work(client)
    except KeyboardInterrupt:
        return 130
    finally:
        client.close()
    return 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
