"""A host's log file: one line of output a line, each with the engine's time stamp before it.

Written by the job's owner, followed by anyone. A line break inside a record can't be: the engine
cuts output at line breaks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TextIO

from sagedock.engine.plan import LogLine

_POLL_SECONDS = 0.05
_TAIL_BYTES = 256 << 10


class LogWriter:
    """Appends lines to a log file; each is on disk's cache, and so visible, when `write` ends."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._stream: TextIO = path.open("a", encoding="utf-8", newline="\n", buffering=1)

    def write(self, line: LogLine) -> None:
        self._stream.write(f"{line.stamp} {line.text}\n")

    def close(self) -> None:
        self._stream.close()


def read(path: Path) -> list[LogLine]:
    """All whole lines of a log file; none where there is no file yet."""
    if not path.exists():
        return []
    return [_parsed(line) for line in _whole_lines(path.read_text("utf-8"))]


def tail(path: Path) -> list[LogLine]:
    """The last lines of a log file, enough to resume reading after them."""
    if not path.exists():
        return []
    with path.open("rb") as stream:
        start = max(0, path.stat().st_size - _TAIL_BYTES)
        stream.seek(start)
        lines = _whole_lines(stream.read().decode("utf-8", "replace"))
    return [_parsed(line) for line in (lines[1:] if start else lines)]


def follow(path: Path, ended: Callable[[], bool]) -> Iterator[LogLine]:
    """Lines as they are written, until `ended()` and nothing is left."""
    rest, offset = "", 0
    while True:
        last = ended()  # asked before reading: what was written before the end is read
        if path.exists():
            with path.open("r", encoding="utf-8", newline="\n") as stream:
                stream.seek(offset)
                rest += stream.read()
                offset = stream.tell()
        *whole, rest = rest.split("\n")
        yield from map(_parsed, whole)
        if last:
            return
        time.sleep(_POLL_SECONDS)


def seconds(line: LogLine) -> float:
    """The line's time in seconds since the epoch."""
    return datetime.fromisoformat(line.stamp[:26] + "+00:00").timestamp()


def _whole_lines(text: str) -> list[str]:
    return text.split("\n")[:-1]


def _parsed(line: str) -> LogLine:
    stamp, _, text = line.partition(" ")
    return LogLine(stamp=stamp, text=text)
