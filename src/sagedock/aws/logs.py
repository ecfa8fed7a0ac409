"""CloudWatch Logs, read as they grow: every stream of a job, no line lost and none twice.

A stream is read by its tokens, which never go back; events that come in late, with a time before
what has been read, are found by reading the last minute once more (`late`). GetLogEvents gives no
ids, so events are told apart by time and text, counted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sagedock.aws.calls import Calls
from sagedock.errors import ResourceNotFoundError

_PAGE = 10_000
_WINDOW_MS = 60_000
_ESCAPED = re.compile(r"#0(11|15|33)")
_MEANT = {"11": "\t", "15": "\r", "33": "\x1b"}


@dataclass(frozen=True, kw_only=True)
class Event:
    """A line of a log: its stream, its time in milliseconds since the epoch, its text."""

    stream: str
    timestamp: int
    text: str

    @property
    def stamp(self) -> str:
        """Its time as a container's log has it: `2026-11-24T08:07:01.123000000Z`."""
        moment = datetime.fromtimestamp(self.timestamp / 1000, UTC)
        return moment.strftime("%Y-%m-%dT%H:%M:%S.%f000Z")


def cleaned(text: str) -> str:
    """A line as the program wrote it: the service spells tabs, carriage returns and escapes
    as #011, #015 and #033 (A7.3)."""
    return _ESCAPED.sub(lambda found: _MEANT[found[1]], text) if "#0" in text else text


@dataclass
class _Stream:
    name: str
    token: str | None = None
    newest: int = 0
    seen: Counter[tuple[int, str]] = field(default_factory=Counter)
    """Events of the last minute, counted."""

    def remember(self, events: list[Event]) -> None:
        for event in events:
            self.seen[event.timestamp, event.text] += 1
            self.newest = max(self.newest, event.timestamp)
        horizon = self.newest - _WINDOW_MS
        if events and min(self.seen)[0] < horizon - _WINDOW_MS:  # now and then is enough
            kept = {key: count for key, count in self.seen.items() if key[0] >= horizon}
            self.seen = Counter(kept)


class LogReader:
    """The streams of `group` whose names begin with `prefix`, such as `JOB/`. `client` is boto3's
    of `logs`."""

    def __init__(self, client: Any, group: str, prefix: str) -> None:
        self._calls, self._group, self._prefix = Calls(client), group, prefix
        self._streams: dict[str, _Stream] = {}
        self._read: list[Event] = []
        """What has been read and not been handed over yet: an error may come between."""

    @property
    def streams(self) -> list[str]:
        """The names of the streams seen so far, in order."""
        return sorted(self._streams)

    def read(self) -> list[Event]:
        """What has come since the last call, by time; nothing while there is no log. Raises
        AwsError."""
        self._look()
        for stream in self._in_order():
            self._read.extend(self._forward(stream))
        return self._handed_over()

    def late(self) -> list[Event]:
        """What has come into the last minute since it was read. Raises AwsError."""
        for stream in self._in_order():
            self._read.extend(self._missed(stream))
        return self._handed_over()

    def _handed_over(self) -> list[Event]:
        found, self._read = self._read, []
        return sorted(found, key=lambda event: event.timestamp)

    def _in_order(self) -> list[_Stream]:
        return [self._streams[name] for name in sorted(self._streams)]

    def _look(self) -> None:
        try:
            pages = self._calls.pages(
                "describe_log_streams",
                "logStreams",
                logGroupName=self._group,
                **({"logStreamNamePrefix": self._prefix} if self._prefix else {}),
            )
            for item in pages:
                name = item["logStreamName"]
                self._streams.setdefault(name, _Stream(name))
        except ResourceNotFoundError:  # the group comes with the account's first job of the kind
            return

    def _forward(self, stream: _Stream) -> Iterator[Event]:
        while True:
            more = {"nextToken": stream.token} if stream.token else {}
            answer = self._get(stream, startFromHead=True, **more)
            events = [event_of(stream.name, item) for item in answer["events"]]
            stream.remember(events)
            yield from events
            token = answer["nextForwardToken"]
            if token == stream.token:  # "the end of the stream"; empty pages come before it
                return
            stream.token = token

    def _missed(self, stream: _Stream) -> list[Event]:
        start = max(stream.newest - _WINDOW_MS, 0)
        token: str | None = None
        found: list[Event] = []
        seen = Counter(stream.seen)
        while True:
            more = {"nextToken": token} if token else {}
            answer = self._get(stream, startFromHead=True, startTime=start, **more)
            for event in (event_of(stream.name, item) for item in answer["events"]):
                key = event.timestamp, event.text
                if seen[key]:
                    seen[key] -= 1
                else:
                    found.append(event)
            if answer["nextForwardToken"] == token:
                stream.remember(found)
                return found
            token = answer["nextForwardToken"]

    def _get(self, stream: _Stream, **more: Any) -> Any:
        return self._calls.get_log_events(
            logGroupName=self._group, logStreamName=stream.name, limit=_PAGE, **more
        )


def event_of(stream: str, item: Any) -> Event:
    """One of GetLogEvents' items."""
    text = cleaned(item.get("message", "").rstrip("\n"))
    return Event(stream=stream, timestamp=int(item["timestamp"]), text=text)
