"""The process that owns one job: `python -m sagedock.local.runner KIND NAME PID STARTED`, the
settings as JSON on standard input. PID and STARTED name the owner that the job is taken from."""

from __future__ import annotations

import signal
import sys
from types import FrameType

from sagedock.local.client import LocalSageMaker
from sagedock.local.process import Owner
from sagedock.local.records import Kind
from sagedock.local.settings import LocalSettings


def main(kind: str, name: str, pid: str, started: str) -> int:
    """Take the job over and run it to its end. Exits 0 whatever becomes of the job."""
    for number in (signal.SIGTERM, signal.SIGINT):  # stop the job, don't orphan its container
        signal.signal(number, _interrupt)
    client = LocalSageMaker(LocalSettings.from_json(sys.stdin.read()), attended=True)
    try:
        client.take_over(Kind(kind), name, Owner(pid=int(pid), started=started))
    except KeyboardInterrupt:
        return 130
    finally:
        client.close()
    return 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
