"""Log events and streams of them, wherever they are kept; pages of them as CloudWatch gives them.

A *position* is a number that grows along a stream: what is read forward from it, and backward, is
the same whenever it is asked. Tokens hold positions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

PAGE_EVENTS = 10_000
"""Events that a page has at most."""

_PAGE_BYTES = 1 << 20
_EVENT_BYTES = 26
"""A page's limit in bytes, and what CloudWatch counts for each event besides its text."""

_TOKEN = re.compile(r"([fb])/(\d{1,56})/s", re.A)
SLOP_MS = 2_000
"""How far times in a stream may be out of order."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """One event. `at` and `ingested` in milliseconds since the epoch; it lies between the
    positions `start` and `end`."""

    at: int
    ingested: int
    message: str
    start: int
    end: int


class Stream(Protocol):
    """A stream of events, nearly in the order of their times (SLOP_MS)."""

    @property
    def name(self) -> str: ...

    @property
    def created(self) -> int:
        """Milliseconds since the epoch."""

    def forward(self, position: int) -> Iterator[Event]:
        """Events at `position` and after it, oldest first."""

    def backward(self, position: int | None) -> Iterator[Event]:
        """Events before `position` (None: the end), newest first."""

    def position_of(self, at: int) -> int:
        """A position that no event of the time `at` or later, SLOP_MS respected, lies before."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """Times from `start` on, and before `end`; milliseconds since the epoch."""

    start: int | None
    end: int | None

    def has(self, event: Event) -> bool:
        """Whether the event is in it."""
        early = self.start is not None and event.at < self.start
        return not early and (self.end is None or event.at < self.end)

    def is_before(self, event: Event) -> bool:
        """Whether no event after this one can be in it any more."""
        return self.end is not None and event.at >= self.end + SLOP_MS

    def is_after(self, event: Event) -> bool:
        """Whether no event before this one can be in it any more."""
        return self.start is not None and event.at < self.start - SLOP_MS


@dataclass(frozen=True, kw_only=True)
class Page:
    """Events, oldest first, and the positions from which to go on either way."""

    events: list[Event]
    backward: int
    forward: int


def token(direction: str, position: int) -> str:
    """A token as CloudWatch's look: f/… or b/…."""
    return f"{direction}/{position:056d}/s"


def read_token(text: str) -> tuple[str, int] | None:
    """Direction and position of a token; None where it is none."""
    match = _TOKEN.fullmatch(text)
    return (match.group(1), int(match.group(2))) if match else None


def page_after(stream: Stream, position: int, window: Window, limit: int) -> Page:
    """Events from `position` on. Where there are none the position stays, so that it can be asked
    again."""
    room, events = Room(limit), list[Event]()
    for event in stream.forward(position):
        if window.is_before(event) or (window.has(event) and not room.takes(event)):
            break
        if window.has(event):
            events.append(event)
    if not events:
        return Page(events=[], backward=position, forward=position)
    return Page(events=events, backward=events[0].start, forward=events[-1].end)


def page_before(stream: Stream, position: int | None, window: Window, limit: int) -> Page:
    """The last events before `position`, None for the stream's end."""
    room, events, end = Room(limit), list[Event](), position
    for event in stream.backward(position):
        end = event.end if end is None else end
        if window.is_after(event) or (window.has(event) and not room.takes(event)):
            break
        if window.has(event):
            events.append(event)
    events.reverse()
    if not events:
        return Page(events=[], backward=end or 0, forward=end or 0)
    return Page(events=events, backward=events[0].start, forward=events[-1].end)


class Room:
    """What is left of a page. One event fits in any empty page."""

    def __init__(self, limit: int) -> None:
        self._left, self._bytes, self._empty = limit, _PAGE_BYTES, True

    def takes(self, event: Event) -> bool:
        """Take an event in, or say that there is no room for it."""
        size = len(event.message.encode("utf-8", "replace")) + _EVENT_BYTES
        if not self._left or (size > self._bytes and not self._empty):
            return False
        self._left, self._bytes, self._empty = self._left - 1, self._bytes - size, False
        return True
