"""The process that owns one endpoint: `python -m sagedock.local.hosting.runner NAME PID STARTED`,
the settings as JSON on standard input. PID and STARTED name the owner it is taken from."""

from __future__ import annotations

import signal
import sys
from types import FrameType

from sagedock.local.client import LocalSageMaker
from sagedock.local.process import Owner
from sagedock.local.settings import LocalSettings


def main(name: str, pid: str, started: str) -> int:
    """Take the endpoint over and keep it until it is deleted."""
    for number in (signal.SIGTERM, signal.SIGINT):  # stop the containers, don't orphan them
        signal.signal(number, _interrupt)
    client = LocalSageMaker(LocalSettings.from_json(sys.stdin.read()))
    try:
        client.keep_endpoint(name, Owner(pid=int(pid), started=started))
    except KeyboardInterrupt:
        return 130
    finally:
        client.close()
    return 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
