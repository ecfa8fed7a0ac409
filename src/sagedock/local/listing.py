"""Filters, order and pages of the API's list calls. Pure.

A row is one entry of an answer: its members of names ending in Name, Time and Status are what
filters mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sagedock.errors import ValidationError

Row = Mapping[str, Any]

PAGE = 10
"""MaxResults where none is given."""

_DIGITS = 18
"""No list is longer; and Python reads no number of thousands of digits."""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What is listed: `member` of the answer, and what rows call name and status (None: they have
    none)."""

    member: str
    name: str
    status: str | None = None
    created: str = "CreationTime"
    modified: str = "LastModifiedTime"

    def page(self, rows: Sequence[Row], filters: Mapping[str, Any]) -> dict[str, Any]:
        """One page of the rows that pass. Raises ValidationError for a NextToken that is none."""
        found = [row for row in rows if self._passes(row, filters)]
        key = {"Name": self.name, "Status": self.status}.get(filters.get("SortBy", ""))
        found.sort(
            key=lambda row: row[key or self.created],
            reverse=filters.get("SortOrder", "Descending") != "Ascending",
        )
        start = _start(filters.get("NextToken", "0"))
        end = start + filters.get("MaxResults", PAGE)
        more = {"NextToken": str(end)} if end < len(found) else {}
        return {self.member: found[start:end], **more}

    def _passes(self, row: Row, filters: Mapping[str, Any]) -> bool:
        word = filters.get("NameContains", "").lower()
        wanted = filters.get("StatusEquals")
        times = (
            ("CreationTimeAfter", self.created, 1),
            ("CreationTimeBefore", self.created, -1),
            ("LastModifiedTimeAfter", self.modified, 1),
            ("LastModifiedTimeBefore", self.modified, -1),
        )
        return (
            word in row[self.name].lower()
            and (wanted is None or self.status is None or row[self.status] == wanted)
            and all(
                ((row.get(key) or row[self.created]) - _moment(filters[name])).total_seconds()
                * sign
                > 0
                for name, key, sign in times
                if name in filters
            )
        )


def _start(token: str) -> int:
    if not (token.isascii() and token.isdecimal() and len(token) <= _DIGITS):
        raise ValidationError(f"NextToken {token[:80]!r} is none that a list call has given.")
    return int(token)


def _moment(value: Any) -> datetime:
    """A time in any of the forms that botocore takes: datetime, ISO text, seconds."""
    from botocore.utils import parse_to_aware_datetime

    moment: datetime = parse_to_aware_datetime(value)
    return moment
