"""The process that owns one job: `python -m sagedock.local.runner <data folder> <kind> <name>`."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from types import FrameType

from sagedock.local.client import LocalSageMaker
from sagedock.local.records import Kind
from sagedock.local.settings import LocalSettings


def main(data: str, kind: str, name: str) -> int:
    """Take the job over and run it to its end. Exits 0 whatever becomes of the job."""
    signal.signal(signal.SIGTERM, _interrupt)  # stop the job rather than orphan its container
    client = LocalSageMaker(LocalSettings.from_environment(data=Path(data)), attended=True)
    try:
        client.take_over(Kind(kind), name)
    except KeyboardInterrupt:
        return 130
    finally:
        client.close()
    return 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
