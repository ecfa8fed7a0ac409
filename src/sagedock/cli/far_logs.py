"""The logs of jobs and endpoints on AWS, as lines. Must not print."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sagedock.cli.far import Far

if TYPE_CHECKING:
    from sagedock.aws.jobs import Described
    from sagedock.aws.logs import Event
    from sagedock.engine.plan import LogLine
    from sagedock.local.records import Job

_POLL_SECONDS = 2.0

Word = Callable[[str], str]
"""What lines of a stream begin with."""


def lines_of(
    aws: Mapping[str, Any], name: str, kind: str | None, *, follow: bool, tail: int | None
) -> Iterator[LogLine]:
    """The lines of a job's log, or an endpoint's; with `follow` until it has ended. Raises
    ResourceNotFoundError, AwsError."""
    from sagedock.errors import ResourceNotFoundError

    far = Far(aws)
    try:
        job = far.job(name, kind)
    except ResourceNotFoundError:
        if kind is None and _has_log(far, name):
            return _of_endpoint(far, name, follow=follow, tail=tail)
        raise
    return _of_job(far, job, follow=follow, tail=tail)


# jobs


def _of_job(far: Far, job: Described, *, follow: bool, tail: int | None) -> Iterator[LogLine]:
    from sagedock.launch.aws.watching import GROUPS
    from sagedock.local.records import Kind

    group, prefix = GROUPS[Kind(job.kind)], f"{job.name}/"
    if follow and job.is_running:
        yield from _watched(far, job, group, tail)
        return
    yield from _so_far(far, group, prefix, _host if _hosts(job) > 1 else _nothing, tail)


def _watched(far: Far, job: Described, group: str, tail: int | None) -> Iterator[LogLine]:
    """A running job's lines until it has ended, the tail of its log intact."""
    from sagedock.aws.jobs import describe
    from sagedock.aws.logs import LogReader
    from sagedock.launch.aws.watching import Pace, Watch
    from sagedock.local.records import Kind

    reader = LogReader(far.account.client("logs"), group, f"{job.name}/")
    word = _host if _hosts(job) > 1 else _nothing
    yield from (_line(event, word) for event in _cut(reader.read(), tail))
    watch = Watch(
        Kind(job.kind),
        lambda: describe(far.sagemaker, job.kind, job.name).document,
        reader,
        Pace(),
    )
    yield from _Lines(watch.run)


class _Lines:
    """What a listener hears, as an iterator: the watching goes on in a thread of its own, and ends
    with the program."""

    def __init__(self, run: Callable[[Any], object]) -> None:
        self._run = run
        self._heard: queue.SimpleQueue[LogLine | BaseException | None] = queue.SimpleQueue()

    def status(self, job: Job) -> None:
        """Not shown: it is no line of the log."""

    def log(self, line: LogLine) -> None:
        """A line."""
        self._heard.put(line)

    def __iter__(self) -> Iterator[LogLine]:
        threading.Thread(target=self._listen, name="sagedock-watch", daemon=True).start()
        while (heard := self._heard.get()) is not None:
            if isinstance(heard, BaseException):
                raise heard
            yield heard

    def _listen(self) -> None:
        try:
            self._run(self)
        except BaseException as error:
            self._heard.put(error)
        else:
            self._heard.put(None)


def _hosts(job: Described) -> int:
    from sagedock.launch.aws.seen import hosts
    from sagedock.local.records import Kind

    return hosts(Kind(job.kind), job.document)


# endpoints


def _has_log(far: Far, name: str) -> bool:
    """Whether there is an endpoint of that name, or has been one: logs outlive it."""
    from sagedock.aws.endpoints import described_or_none
    from sagedock.aws.log_tail import streams_of
    from sagedock.launch.aws.endpoints import log_group

    if described_or_none(far.sagemaker, name) is not None:
        return True
    return bool(streams_of(far.calls("logs"), log_group(name), ""))


def _of_endpoint(far: Far, name: str, *, follow: bool, tail: int | None) -> Iterator[LogLine]:
    from sagedock.aws.logs import LogReader
    from sagedock.launch.aws.endpoints import log_group

    group = log_group(name)
    if not follow:
        yield from _so_far(far, group, "", _stream, tail)
        return
    reader = LogReader(far.account.client("logs"), group, "")
    cut = tail
    while True:
        live = _is_live(far, name)
        yield from (_line(event, _stream) for event in _cut(reader.read(), cut))
        if not live:
            return
        cut = None
        time.sleep(_POLL_SECONDS)


def _is_live(far: Far, name: str) -> bool:
    from sagedock.aws.endpoints import described_or_none

    found = described_or_none(far.sagemaker, name)
    return found is not None and found["EndpointStatus"] != "Failed"


# lines


def _so_far(far: Far, group: str, prefix: str, word: Word, tail: int | None) -> Iterator[LogLine]:
    from sagedock.aws.log_tail import last_events
    from sagedock.aws.logs import LogReader

    if tail is None:
        found = LogReader(far.account.client("logs"), group, prefix).read()
    else:
        found = last_events(far.calls("logs"), group, prefix, tail)
    return (_line(event, word) for event in found)


def _cut(events: list[Event], tail: int | None) -> list[Event]:
    return events if tail is None else events[max(0, len(events) - tail) :]


def _line(event: Event, word: Word) -> LogLine:
    from sagedock.cli.lines import settled
    from sagedock.engine.plan import LogLine

    return LogLine(stamp=event.stamp, text=f"{word(event.stream)}{settled(event.text)}")


def _nothing(stream: str) -> str:
    return ""


def _host(stream: str) -> str:
    from sagedock.launch.aws.watching import host_of

    return f"[{host_of(stream)}] "


def _stream(stream: str) -> str:
    return f"[{stream}] "
