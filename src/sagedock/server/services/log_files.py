"""The log groups of jobs and endpoints, read straight from their log files. Nothing is copied, and
of a big file only what is asked for is read.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from sagedock.local.hosting import logs as endpoint_logs
from sagedock.local.records import Kind
from sagedock.server.services.log_events import SLOP_MS, Event

GROUPS = {
    "/aws/sagemaker/TrainingJobs": Kind.TRAINING,
    "/aws/sagemaker/ProcessingJobs": Kind.PROCESSING,
    "/aws/sagemaker/TransformJobs": Kind.TRANSFORM,
}
ENDPOINTS = "/aws/sagemaker/Endpoints/"
_BLOCK = 64 << 10
_NEAR = 16 << 10
"""A search by time ends when it has come this near, in bytes."""

_NAME = re.compile(r"[a-zA-Z0-9](?:-*[a-zA-Z0-9]){0,62}")
_SHOWN = {code: f"#{code:03o}" for code in (*range(32), 127)}
"""Control characters as SageMaker's log groups have them: a TAB is #011 (A7.3)."""


class FileStream:
    """A log file as a stream: a position is a byte's offset. Empty lines are no events, since
    CloudWatch has none without text."""

    def __init__(self, name: str, path: Path, created: int) -> None:
        self.name, self.created, self._path = name, created, path

    @property
    def size(self) -> int:
        """The file's bytes."""
        return self._path.stat().st_size if self._path.exists() else 0

    def forward(self, position: int) -> Iterator[Event]:
        position, data, block = min(position, self.size), b"", _BLOCK
        while True:
            data = self._read(position, block)
            whole = data.rfind(b"\n") + 1
            if not whole:
                if len(data) < block:
                    return
                block *= 4  # a line longer than that
                continue
            yield from _events(data[:whole], position)
            position, block = position + whole, _BLOCK

    def backward(self, position: int | None) -> Iterator[Event]:
        end = self.size if position is None else min(position, self.size)
        rest = b""
        while end:
            start = max(0, end - _BLOCK)
            data = self._read(start, end - start) + rest
            end = start
            if start:  # the first line may have begun before
                head, found, tail = data.partition(b"\n")
                rest = head + found
                data = tail if found else b""
                start += len(rest)
            whole = data.rfind(b"\n") + 1
            yield from reversed(list(_events(data[:whole], start)))

    def position_of(self, at: int) -> int:
        low, high = 0, self.size
        while high - low > _NEAR:
            middle = (low + high) // 2
            event = next(self.forward(self._line_after(middle)), None)
            if event is None or event.start >= high or event.at >= at - SLOP_MS:
                high = middle
            else:
                low = event.start
        return low

    def _line_after(self, position: int) -> int:
        """Where the first line after `position` begins; the file's end where none does."""
        size = self.size
        while position < size:
            found = self._read(position, _BLOCK).find(b"\n")
            if found >= 0:
                return position + found + 1
            position += _BLOCK
        return size

    def _read(self, position: int, size: int) -> bytes:
        with self._path.open("rb") as stream:
            stream.seek(position)
            return stream.read(size)


def _events(data: bytes, start: int) -> Iterator[Event]:
    for line in data.split(b"\n")[:-1]:
        end = start + len(line) + 1
        stamp, _, text = line.partition(b" ")
        at = _milliseconds(stamp)
        if at is not None and text:
            shown = text.decode("utf-8", "replace").translate(_SHOWN)
            yield Event(at=at, ingested=at, message=shown, start=start, end=end)
        start = end


def _milliseconds(stamp: bytes) -> int | None:
    """The engine's stamp; None where it is none: a machine that lost its power leaves such."""
    try:
        return int(datetime.fromisoformat(stamp[:26].decode() + "+00:00").timestamp() * 1000)
    except ValueError:
        return None


class ServiceLogs:
    """The log groups of the jobs and endpoints in the data folder `data`."""

    def __init__(self, data: Path) -> None:
        self._data = data

    def groups(self) -> Iterator[str]:
        """Names of the groups that have streams."""
        yield from (name for name in GROUPS if self.exists(name))
        yield from (ENDPOINTS + name for name in _folders(self._data / "endpoints")
                    if self.exists(ENDPOINTS + name))  # fmt: skip

    def exists(self, group: str) -> bool:
        """Whether it has any stream."""
        return next(self.streams(group), None) is not None

    def streams(self, group: str, prefix: str = "") -> Iterator[FileStream]:
        """The group's streams whose names begin with `prefix`, jobs in the order of names."""
        if group in GROUPS:
            root = self._data / "jobs" / GROUPS[group]
            job, slash, _ = prefix.partition("/")
            for name in [job] if slash else _folders(root):
                if name.startswith(job) and _NAME.fullmatch(name):
                    found = _job_streams(GROUPS[group], name, root / name / "logs")
                    yield from (one for one in found if one.name.startswith(prefix))
            return
        name = group.removeprefix(ENDPOINTS)
        if group.startswith(ENDPOINTS) and _NAME.fullmatch(name):
            yield from self._of_endpoint(name, prefix)

    def _of_endpoint(self, endpoint: str, prefix: str) -> Iterator[FileStream]:
        for name, path in endpoint_logs.streams(self._data / "endpoints" / endpoint).items():
            born = _born(path)
            if born is not None and name.startswith(prefix):
                yield FileStream(name, path, born)


def _folders(root: Path) -> list[str]:
    if not root.is_dir():
        return []
    return sorted(path.name for path in root.iterdir() if path.is_dir())


def _job_streams(kind: Kind, job: str, folder: Path) -> Iterator[FileStream]:
    """Named as the service names them: JOB/HOST-EPOCH, by the epoch of the first line."""
    for path in sorted(folder.glob("*.log")):
        born = _born(path)
        if born is not None:
            name = path.stem.partition(".")[0]  # of a job that was deleted: algo-1.1
            host = _instance(job, name) if kind is Kind.TRANSFORM else name
            yield FileStream(f"{job}/{host}-{born // 1000}", path, born)


def _instance(job: str, host: str) -> str:
    """Transform jobs' streams are named by instances."""
    return "i-" + hashlib.sha256(f"{job}/{host}".encode()).hexdigest()[:17]


def _born(path: Path) -> int | None:
    """The time of a file's first event; None where there is none yet."""
    event = next(FileStream("", path, 0).forward(0), None)
    return event.at if event else None
