"""A host's log file: one line of output a line, each with the engine's time stamp before it.

Written by the job's owner, followed by anyone. A line break inside a record can't be: the engine
cuts output at line breaks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from sagedock.engine.plan import LogLine

_POLL_SECONDS = 0.05
_TAIL_BYTES = 256 << 10
_ROOM_BYTES = 256 << 10
_TAIL_SECONDS = 10.0
"""More than the engine's reader goes back when it resumes."""


class LogWriter:
    """Appends lines to a log file; each is on disk's cache, and so visible, when `write` ends.

    `broken` is why writing had to be given up (a full disk), None where it hadn't: a job is worth
    more than its log.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        _drop_broken_end(path)
        self.broken: OSError | None = None
        self._stream = path.open("ab", buffering=0)

    def write(self, line: LogLine) -> None:
        data = f"{line.stamp} {line.text}\n".encode()
        try:
            while data and not self.broken:
                data = data[self._stream.write(data) :]
        except OSError as error:
            self.broken = error
            # The job's record lies on the same disk, and is what must not be lost.
            self._stream.truncate(max(0, self._stream.tell() - _ROOM_BYTES))

    def close(self) -> None:
        self._stream.close()


def put_aside(path: Path) -> None:
    """Give a log file a name of its own, `algo-1.1.log`, so that another job can have this one."""
    number = 1
    while (aside := path.with_name(f"{path.stem}.{number}{path.suffix}")).exists():
        number += 1
    if path.exists():
        path.rename(aside)


def read(path: Path) -> list[LogLine]:
    """All whole lines of a log file; none where there is no file yet."""
    return whole_lines(path.read_bytes()) if path.exists() else []


def tail(path: Path) -> list[LogLine]:
    """The last lines of a log file, enough to resume reading after them: all of the last seconds,
    however many they are."""
    size, length = (path.stat().st_size if path.exists() else 0), _TAIL_BYTES
    while True:
        lines = _last_lines(path, length) if size else []
        if length >= size or (lines and seconds(lines[-1]) - seconds(lines[0]) > _TAIL_SECONDS):
            return lines
        length *= 4


def _last_lines(path: Path, length: int) -> list[LogLine]:
    with path.open("rb") as stream:
        start = max(0, path.stat().st_size - length)
        stream.seek(start)
        data = stream.read()
    return whole_lines(data.partition(b"\n")[2] if start else data)


def follow(path: Path, ended: Callable[[], bool]) -> Iterator[LogLine]:
    """Lines as they are written, until `ended()` and nothing is left."""
    offset = 0
    while True:
        last = ended()  # asked before reading: what was written before the end is read
        data = read_from(path, offset)
        offset += len(data)
        yield from whole_lines(data)
        if last and not data:
            return
        if not data:
            time.sleep(_POLL_SECONDS)


def read_from(path: Path, offset: int) -> bytes:
    """Bytes after `offset`: whole lines only, and not all of a big log at once."""
    if not path.exists():
        return b""
    data, size = b"", _TAIL_BYTES
    while b"\n" not in data:
        with path.open("rb") as stream:
            stream.seek(offset)
            data = stream.read(size)
        if len(data) < size:
            break
        size *= 4
    return data[: data.rfind(b"\n") + 1]


def _drop_broken_end(path: Path) -> None:
    """An owner that was killed while it wrote has left half a line; the engine has all of it."""
    if not path.exists():
        return
    with path.open("r+b") as stream:
        end = position = stream.seek(0, 2)
        while position:
            start = max(0, position - _TAIL_BYTES)
            stream.seek(start)
            found = stream.read(position - start).rfind(b"\n")
            if found >= 0:
                position = start + found + 1
                break
            position = start
        if position != end:
            stream.truncate(position)


def seconds(line: LogLine) -> float:
    """The line's time in seconds since the epoch."""
    return datetime.fromisoformat(line.stamp[:26] + "+00:00").timestamp()


def whole_lines(data: bytes) -> list[LogLine]:
    """The lines in `data`, each up to its line break."""
    # Only line breaks end a line: carriage returns and the like are part of its text.
    return [_parsed(line) for line in data.decode("utf-8", "replace").split("\n")[:-1]]


def _parsed(line: str) -> LogLine:
    stamp, _, text = line.partition(" ")
    return LogLine(stamp=stamp, text=text)
