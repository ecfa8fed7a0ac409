"""The last lines of a log group's streams, read from their ends: a long log is not read whole."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Any

from sagedock.aws.calls import Calls
from sagedock.aws.logs import Event, event_of
from sagedock.errors import ResourceNotFoundError

_PAGE = 10_000


def streams_of(calls: Calls, group: str, prefix: str) -> list[str]:
    """Names of the group's streams that begin with `prefix`; none where there is no such group.
    Raises AwsError."""
    more = {"logStreamNamePrefix": prefix} if prefix else {}
    try:
        found = calls.pages("describe_log_streams", "logStreams", logGroupName=group, **more)
        return sorted(item["logStreamName"] for item in found)
    except ResourceNotFoundError:
        return []


def last_events(calls: Calls, group: str, prefix: str, count: int) -> list[Event]:
    """The newest `count` events of all streams together, in the order of their times."""
    if not count:
        return []
    found: list[Event] = []
    for stream in streams_of(calls, group, prefix):
        found += _of_stream(calls, group, stream, count)
    return heapq.nlargest(count, found, key=lambda event: event.timestamp)[::-1]


def _of_stream(calls: Calls, group: str, stream: str, count: int) -> list[Event]:
    """The newest `count` events of one stream, newest first: of one time, the later one first."""
    found: list[Event] = []
    for page in _backwards(calls, group, stream, min(count, _PAGE)):
        found += [event_of(stream, item) for item in reversed(page)]
        if len(found) >= count:
            break
    return found[:count]


def _backwards(calls: Calls, group: str, stream: str, limit: int) -> Iterator[list[Any]]:
    token = None
    while True:
        more: dict[str, Any] = {"nextToken": token} if token else {}
        answer = calls.get_log_events(
            logGroupName=group, logStreamName=stream, limit=limit, startFromHead=False, **more
        )
        yield answer["events"]
        if answer["nextBackwardToken"] == token:  # "the end of the stream"
            return
        token = answer["nextBackwardToken"]
