"""FilterLogEvents: the events of many streams in the order of their times, those that fit."""

from __future__ import annotations

import base64
import binascii
import heapq
import json
import zlib
from collections.abc import Iterator
from typing import Any

from sagedock.server.protocols.shapes import Params
from sagedock.server.services.log_events import PAGE_EVENTS, Event, Room, Stream, Window
from sagedock.server.services.log_groups import LogGroups, invalid
from sagedock.server.services.log_patterns import PatternError, matcher
from sagedock.server.services.rpc import Operation

_LOOKED_AT = 200_000
"""Events that one page looks at: what is found rarely comes in several pages, as the service's."""

Found = tuple[Event, Stream]


class FilteredLogs:
    """The operation, on the log groups of a data folder."""

    def __init__(self, groups: LogGroups) -> None:
        self._groups = groups

    def operations(self) -> dict[str, Operation]:
        """What RpcService is given."""
        return {"FilterLogEvents": self._filter}

    def _filter(self, params: Params) -> dict[str, Any]:
        streams, window = self._streams(params), _window(params)
        matches = _matcher(params.get("filterPattern", ""))
        reached = _read_token(params.get("nextToken"))
        room, events = Room(params.get("limit", PAGE_EVENTS)), list[dict[str, Any]]()
        for looked, (event, stream) in enumerate(_merged(streams, window, reached)):
            fits = window.has(event) and matches(event.message)
            if looked >= _LOOKED_AT or (fits and not room.takes(event)):
                return {"events": events, "searchedLogStreams": [], "nextToken": _token(reached)}
            reached[stream.name] = event.end
            if fits:
                events.append(_shown(event, stream.name))
        return {"events": events, "searchedLogStreams": []}

    def _streams(self, params: Params) -> list[Stream]:
        group, prefix = self._groups.named(params), params.get("logStreamNamePrefix")
        names = params.get("logStreamNames")
        if names and prefix:
            raise invalid("logStreamNames and logStreamNamePrefix can't be given together.")
        if names:
            return [self._groups.stream(group, name) for name in dict.fromkeys(names)]
        return self._groups.streams(group, prefix or "")


def _window(params: Params) -> Window:
    """`endTime` itself is in it, other than GetLogEvents'."""
    end = params.get("endTime")
    return Window(start=params.get("startTime"), end=None if end is None else end + 1)


def _matcher(pattern: str) -> Any:
    try:
        return matcher(pattern)
    except PatternError as error:
        raise invalid(str(error)) from None


def _merged(streams: list[Stream], window: Window, reached: dict[str, int]) -> Iterator[Found]:
    starts = [_from(stream, window, reached.get(stream.name)) for stream in streams]
    return heapq.merge(*starts, key=lambda found: found[0].at)


def _from(stream: Stream, window: Window, position: int | None) -> Iterator[Found]:
    if position is None:
        position = 0 if window.start is None else stream.position_of(window.start)
    for event in stream.forward(position):
        if window.is_before(event):
            return
        yield event, stream


def _shown(event: Event, stream: str) -> dict[str, Any]:
    return {
        "logStreamName": stream,
        "timestamp": event.at,
        "message": event.message,
        "ingestionTime": event.ingested,
        "eventId": f"{event.at:020d}{zlib.crc32(stream.encode()):012d}{event.start:024d}",
    }


def _token(reached: dict[str, int]) -> str:
    return base64.urlsafe_b64encode(json.dumps(reached).encode()).decode()


def _read_token(text: str | None) -> dict[str, int]:
    if text is None:
        return {}
    try:
        found = json.loads(base64.urlsafe_b64decode(text))
    except (ValueError, binascii.Error, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(
        isinstance(value, int) and 0 <= value < 1 << 63 for value in found.values()
    ):
        raise invalid("The specified nextToken is invalid.")
    return found
