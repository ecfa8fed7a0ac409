"""An endpoint's log streams: one for each container there ever was, in the endpoint's folder.

Named as the service names them: VARIANT/INSTANCE, and /CONTAINER where a model has several.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from sagedock.engine.plan import LogLine
from sagedock.local import joblog

_POLL_SECONDS = 0.05


def streams(folder: Path) -> dict[str, Path]:
    """The log streams of the endpoint that lives in `folder`, by name, oldest first."""
    root = folder / "logs"
    files = sorted(root.rglob("*.log"), key=lambda path: path.stat().st_ctime_ns)
    return {path.relative_to(root).with_suffix("").as_posix(): path for path in files}


def read(folder: Path) -> Iterator[tuple[str, LogLine]]:
    """All lines so far with the names of their streams, in the order of their times."""
    found = [[(name, line) for line in joblog.read(path)] for name, path in streams(folder).items()]
    return heapq.merge(*found, key=lambda item: item[1].stamp)


def follow(folder: Path, ended: Callable[[], bool]) -> Iterator[tuple[str, LogLine]]:
    """Lines as they are written, those of new streams too, until `ended()`."""
    offsets: dict[str, int] = {}
    while True:
        last, found = ended(), False
        for name, path in streams(folder).items():
            data = joblog.read_from(path, offsets.get(name, 0))
            offsets[name] = offsets.get(name, 0) + len(data)
            found = found or bool(data)
            yield from ((name, line) for line in joblog.whole_lines(data))
        if last and not found:
            return
        if not found:
            time.sleep(_POLL_SECONDS)
