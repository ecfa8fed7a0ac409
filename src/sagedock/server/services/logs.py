"""CloudWatch Logs: the jobs' and endpoints' own log groups, and those that programs make."""

from __future__ import annotations

import time
from typing import Any

from sagedock.local.settings import LocalSettings
from sagedock.server.protocols.shapes import Params
from sagedock.server.services.kept import KeptService
from sagedock.server.services.log_events import (
    PAGE_EVENTS,
    SLOP_MS,
    Event,
    Stream,
    Window,
    page_after,
    page_before,
    read_token,
    token,
)
from sagedock.server.services.log_filter import FilteredLogs
from sagedock.server.services.log_groups import LogGroups, invalid
from sagedock.server.services.paging import page
from sagedock.server.services.rpc import Operation

_PAGE = 50
_DAYS = frozenset({
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
})  # fmt: skip
_DAY_MS = 86_400_000
_TOO_OLD_MS, _TOO_NEW_MS = 14 * _DAY_MS, 2 * 3_600_000


class LogsService:
    """The operations, on the log groups of a data folder."""

    def __init__(self, groups: LogGroups) -> None:
        self._groups = groups

    def operations(self) -> dict[str, Operation]:
        """What RpcService is given."""
        return {
            "CreateLogGroup": self._create_group,
            "DeleteLogGroup": lambda p: self._groups.delete(self._groups.named(p)),
            "DescribeLogGroups": self._describe_groups,
            "PutRetentionPolicy": self._put_retention,
            "DeleteRetentionPolicy": lambda p: self._groups.change(
                self._groups.named(p), retention=None
            ),
            "CreateLogStream": lambda p: self._groups.create_stream(
                self._groups.named(p), p["logStreamName"]
            ),
            "DeleteLogStream": lambda p: self._groups.delete_stream(
                self._groups.named(p), p["logStreamName"]
            ),
            "DescribeLogStreams": self._describe_streams,
            "GetLogEvents": self._get_events,
            "PutLogEvents": self._put_events,
            "TagLogGroup": self._tag,
            "TagResource": self._tag,
            "UntagLogGroup": self._untag,
            "UntagResource": self._untag,
            "ListTagsLogGroup": self._list_tags,
            "ListTagsForResource": self._list_tags,
        }

    # groups

    def _create_group(self, params: Params) -> None:
        more = {"tags": params.get("tags"), "class": params.get("logGroupClass")}
        self._groups.create(
            params["logGroupName"], {key: value for key, value in more.items() if value}
        )

    def _describe_groups(self, params: Params) -> dict[str, Any]:
        prefix, part = params.get("logGroupNamePrefix"), params.get("logGroupNamePattern")
        if prefix and part:
            raise invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive.")
        names = [
            name for name in self._groups.all()
            if name.startswith(prefix or "") and (part or "").lower() in name.lower()
        ]  # fmt: skip
        found, more = _page(names, params)
        return {"logGroups": [self._shown_group(name) for name in found], "nextToken": more}

    def _shown_group(self, name: str) -> dict[str, Any]:
        known, arn = self._groups.get(name), self._groups.arn(name)
        return {
            "logGroupName": name,
            "creationTime": known["created"],
            "retentionInDays": known.get("retention"),
            "metricFilterCount": 0,
            "arn": f"{arn}:*",
            "logGroupArn": arn,
            "logGroupClass": known.get("class", "STANDARD"),
            "storedBytes": self._groups.size(name),
        }

    def _put_retention(self, params: Params) -> None:
        days = params["retentionInDays"]
        if days not in _DAYS:
            allowed = ", ".join(str(one) for one in sorted(_DAYS))
            raise invalid(
                f"1 validation error detected: Value '{days}' at 'retentionInDays' failed to "
                f"satisfy constraint: Member must satisfy enum value set: [{allowed}]"
            )
        self._groups.change(self._groups.named(params), retention=days)

    # tags

    def _tag(self, params: Params) -> None:
        group = self._groups.named(params)
        tags = self._groups.get(group).get("tags", {})
        self._groups.change(group, tags={**tags, **params["tags"]})

    def _untag(self, params: Params) -> None:
        group = self._groups.named(params)
        gone = set(params.get("tags", ())) | set(params.get("tagKeys", ()))
        tags = self._groups.get(group).get("tags", {})
        self._groups.change(group, tags={k: v for k, v in tags.items() if k not in gone})

    def _list_tags(self, params: Params) -> dict[str, Any]:
        return {"tags": self._groups.get(self._groups.named(params)).get("tags", {})}

    # streams

    def _describe_streams(self, params: Params) -> dict[str, Any]:
        group, prefix = self._groups.named(params), params.get("logStreamNamePrefix", "")
        by_time = params.get("orderBy") == "LastEventTime"
        if by_time and prefix:
            raise invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
        streams = self._groups.streams(group, prefix)
        if by_time:
            streams.sort(key=lambda stream: (_last(stream), stream.name))
        if params.get("descending"):
            streams.reverse()
        found, more = _page(streams, params)
        return {"logStreams": [self._shown_stream(group, one) for one in found], "nextToken": more}

    def _shown_stream(self, group: str, stream: Stream) -> dict[str, Any]:
        first = next(stream.forward(0), None)
        last = next(stream.backward(None), None)
        times = {} if first is None or last is None else {
            "firstEventTimestamp": first.at,
            "lastEventTimestamp": last.at,
            "lastIngestionTime": last.ingested,
            "uploadSequenceToken": f"{last.end:056d}",
        }  # fmt: skip
        return {
            "logStreamName": stream.name,
            "creationTime": stream.created,
            "arn": f"{self._groups.arn(group)}:log-stream:{stream.name}",
            "storedBytes": 0,
            **times,
        }

    # events

    def _get_events(self, params: Params) -> dict[str, Any]:
        stream = self._groups.stream(self._groups.named(params), params["logStreamName"])
        window = Window(start=params.get("startTime"), end=params.get("endTime"))
        limit, start = params.get("limit", PAGE_EVENTS), params.get("nextToken")
        place = read_token(start) if start else None
        if start and not place:
            raise invalid("The specified nextToken is invalid.")
        if place:
            direction, position = place
            take = page_after if direction == "f" else page_before
            found = take(stream, position, window, limit)
        elif params.get("startFromHead"):
            found = page_after(stream, _position(stream, window.start), window, limit)
        else:
            end = None if window.end is None else _position_after(stream, window.end)
            found = page_before(stream, end, window, limit)
        return {
            "events": [_shown(event) for event in found.events],
            "nextForwardToken": token("f", found.forward),
            "nextBackwardToken": token("b", found.backward),
        }

    def _put_events(self, params: Params) -> dict[str, Any]:
        group, name = self._groups.named(params), params["logStreamName"]
        if self._groups.made(group, name) is None:
            self._groups.stream(group, name)
            raise invalid("The log stream is written by SageMaker alone.")
        now, events = int(time.time() * 1000), params["logEvents"]
        times = [event["timestamp"] for event in events]
        if times != sorted(times):
            raise invalid(
                "Log events in a single PutLogEvents request must be in chronological order."
            )
        if times[-1] - times[0] > _DAY_MS:
            raise invalid(
                "The batch of log events in a single PutLogEvents request cannot span more than "
                "24 hours."
            )
        old = sum(at < now - _TOO_OLD_MS for at in times)
        new = sum(at > now + _TOO_NEW_MS for at in times)
        good = events[old : len(events) - new]
        self._groups.append(group, name, [(one["timestamp"], one["message"]) for one in good])
        rejected = {
            "tooOldLogEventEndIndex": old or None,
            "tooNewLogEventStartIndex": len(events) - new if new else None,
        }
        return {
            "nextSequenceToken": f"{now:056d}",
            "rejectedLogEventsInfo": rejected if old or new else None,
        }


def service(settings: LocalSettings) -> KeptService:
    """The service `logs`."""
    groups = LogGroups(settings)
    operations = LogsService(groups).operations() | FilteredLogs(groups).operations()
    return KeptService("logs", operations, held=[groups], invalid="InvalidParameterException")


def _page(rows: list[Any], params: Params) -> tuple[list[Any], str | None]:
    wrong = invalid("The specified nextToken is invalid.")
    return page(rows, params.get("nextToken"), params.get("limit", _PAGE), wrong)


def _last(stream: Stream) -> int:
    event = next(stream.backward(None), None)
    return event.at if event else stream.created


def _position(stream: Stream, at: int | None) -> int:
    return 0 if at is None else stream.position_of(at)


def _position_after(stream: Stream, at: int) -> int | None:
    """A position that no event before the time `at` lies after; None for the end."""
    for event in stream.forward(stream.position_of(at)):
        if event.at >= at + SLOP_MS:
            return event.start
    return None


def _shown(event: Event) -> dict[str, Any]:
    return {"timestamp": event.at, "message": event.message, "ingestionTime": event.ingested}
