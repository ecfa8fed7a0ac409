"""Log groups and streams by name: the service's own, read from files, and those that programs have
made, under one roof. Raises the service's errors.

A group or stream of the service's own that somebody deletes is only hidden: its files are the
job's.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

from sagedock.local.settings import LocalSettings
from sagedock.server.protocols.shapes import Params
from sagedock.server.services.documents import Document, Documents
from sagedock.server.services.log_events import Stream
from sagedock.server.services.log_files import ServiceLogs
from sagedock.server.services.log_records import LogRecords, RecordStream
from sagedock.server.services.rpc import ServiceError

_ARN = re.compile(r"arn:[\w-]+:logs:[\w-]+:\d{12}:log-group:([^:]+)(?::\*)?", re.A)


class LogGroups:
    """All log groups of a data folder."""

    def __init__(self, settings: LocalSettings) -> None:
        self.documents = Documents(settings.data, "logs")
        self.records = LogRecords(settings.data)
        self._service = ServiceLogs(settings.data)
        self._arn = f"arn:aws:logs:{settings.region}:{settings.account}:log-group:"

    def close(self) -> None:
        """Let go of the database."""
        self.documents.close()
        self.records.close()

    # names

    def arn(self, group: str) -> str:
        """A group's ARN, without the `:*` that some answers have."""
        return self._arn + group

    def named(self, params: Params) -> str:
        """The group that a request names in any of the ways there are. Raises ServiceError."""
        given = params.get("logGroupName") or params.get("logGroupIdentifier")
        given = given or params.get("resourceArn")
        if not given:
            raise invalid("Either logGroupName or logGroupIdentifier must be given")
        match = _ARN.fullmatch(given)
        return match.group(1) if match else given

    # groups

    def create(self, group: str, more: Document) -> None:
        """Make a group. Raises ServiceError where it exists."""
        new = {"created": _now(), "made": True, **more}
        if self._is_of_service(group) or not self.documents.add("group", group, new):
            known = self.documents.get("group", group) or {}
            if known.get("made") or self._is_of_service(group):
                raise _exists("group")
            self.documents.put("group", group, new)

    def _is_of_service(self, group: str) -> bool:
        return next(self._files(group), None) is not None

    def find(self, group: str) -> Document | None:
        """What is known of a group, None where there is none."""
        known = self.documents.get("group", group)
        if known and known.get("made"):
            return known
        first = next(self._files(group), None)
        if first is None:
            return None
        if known is None:
            known = {"created": first.created}
            self.documents.add("group", group, known)
        return known

    def get(self, group: str) -> Document:
        """The same. Raises ServiceError where there is none."""
        known = self.find(group)
        if known is None:
            raise missing("group")
        return known

    def change(self, group: str, **members: Any) -> None:
        """Set members of what is known of a group, None to remove them."""
        self.get(group)

        def changed(known: Document | None) -> Document:
            merged = {**(known or {}), **members}
            return {key: value for key, value in merged.items() if value is not None}

        self.documents.update("group", group, changed)

    def delete(self, group: str) -> None:
        """Delete a group with all that is in it. Raises ServiceError where there is none."""
        self.get(group)
        for name in self.documents.list("stream", _key(group, "")):
            self.documents.delete("stream", name)
            self.records.drop(name)
        self.documents.delete("group", group)
        if self._is_of_service(group):
            self.documents.put("hidden", group, {"until": _now()})

    def all(self) -> dict[str, Document]:
        """All groups by name, sorted."""
        made = {name for name, one in self.documents.list("group").items() if one.get("made")}
        found = {name: self.find(name) for name in sorted(made | set(self._service.groups()))}
        return {name: known for name, known in found.items() if known}

    def size(self, group: str) -> int:
        """Bytes of the group's files."""
        return sum(stream.size for stream in self._service.streams(group))

    # streams

    def create_stream(self, group: str, name: str) -> None:
        """Make a stream. Raises ServiceError where it exists or its group does not."""
        self.get(group)
        if self._file(group, name) or not self.documents.add(
            "stream", _key(group, name), {"created": _now()}
        ):
            raise _exists("stream")

    def stream(self, group: str, name: str) -> Stream:
        """A stream by name. Raises ServiceError."""
        found = self._file(group, name) or self.made(group, name)
        if found is None:
            self.get(group)
            raise missing("stream")
        return found

    def made(self, group: str, name: str) -> RecordStream | None:
        """A stream that a program has made."""
        known = self.documents.get("stream", _key(group, name))
        return self._record(group, name, known) if known else None

    def streams(self, group: str, prefix: str = "") -> list[Stream]:
        """The group's streams whose names begin with `prefix`, sorted by name. Raises
        ServiceError where there is no such group."""
        known = self.documents.list("stream", _key(group, prefix))
        made = [self._record(group, key.partition(":")[2], one) for key, one in known.items()]
        files = list(self._files(group, prefix))
        if not made and not files:
            self.get(group)
        return sorted([*made, *files], key=lambda stream: stream.name)

    def delete_stream(self, group: str, name: str) -> None:
        """Delete a stream. Raises ServiceError where there is none."""
        if self.documents.delete("stream", _key(group, name)):
            self.records.drop(_key(group, name))
            return
        self.stream(group, name)
        self.documents.put("hidden", _key(group, name), {"until": _now()})

    def append(self, group: str, name: str, events: list[tuple[int, str]]) -> None:
        """Add events to a stream that a program has made; drop those that are too old to keep."""
        key, days = _key(group, name), (self.find(group) or {}).get("retention")
        self.records.append(key, events)
        if days:
            self.records.drop_before(key, _now() - days * 86_400_000)

    def _record(self, group: str, name: str, known: Document) -> RecordStream:
        return RecordStream(self.records, name, _key(group, name), known["created"])

    def _file(self, group: str, name: str) -> Stream | None:
        return next((one for one in self._files(group, name) if one.name == name), None)

    def _files(self, group: str, prefix: str = "") -> Iterator[Any]:
        """The service's own streams that nobody has deleted."""
        since = (self.documents.get("hidden", group) or {}).get("until", -1)
        for stream in self._service.streams(group, prefix):
            if stream.created > since and not self.documents.get(
                "hidden", _key(group, stream.name)
            ):
                yield stream


def _key(group: str, stream: str) -> str:
    return f"{group}:{stream}"


def _now() -> int:
    return int(time.time() * 1000)


def invalid(text: str) -> ServiceError:
    """What the service answers to a request that can't be taken."""
    return ServiceError("InvalidParameterException", text)


def missing(what: str) -> ServiceError:
    """A group or stream that isn't there."""
    return ServiceError("ResourceNotFoundException", f"The specified log {what} does not exist.")


def _exists(what: str) -> ServiceError:
    text = f"The specified log {what} already exists"
    return ServiceError("ResourceAlreadyExistsException", text)
