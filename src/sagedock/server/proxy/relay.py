"""Bytes from one socket to another, both ways at once, until both are done. Must not know HTTP.

Neither way waits for the other: a peer that sends before it reads would stop both.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
from collections.abc import Callable

IDLE_SECONDS = 60.0
_BLOCK = 1 << 17


class IdleError(Exception):
    """Nothing has moved for too long."""


class Way:
    """One direction. `feed` makes what is sent of what has come; with `ends` the target is told
    that there will be no more."""

    def __init__(
        self,
        source: socket.socket,
        target: socket.socket,
        feed: Callable[[bytes], bytes] | None = None,
        *,
        ends: bool = True,
    ) -> None:
        self.source, self.target = source, target
        self._feed, self._ends = feed, ends
        self.pending = memoryview(b"")
        self.ended = self.is_over = False

    def read(self) -> None:
        """Take what has come."""
        with contextlib.suppress(BlockingIOError):
            data = self.source.recv(_BLOCK)
            if data:
                self.pending = memoryview(self._feed(data) if self._feed else data)
            else:
                self.end()

    def end(self, last: bytes = b"") -> None:
        """Take no more; `last` goes out, too."""
        if last:
            self.pending = memoryview(bytes(self.pending) + last)
        self.ended = True

    def write(self) -> None:
        """Send as much as the target takes."""
        with contextlib.suppress(BlockingIOError):
            self.pending = self.pending[self.target.send(self.pending) :]

    def settle(self) -> None:
        """After each step: find out whether this was the last."""
        if self.ended and not self.pending and not self.is_over:
            self.is_over = True
            if self._ends:
                with contextlib.suppress(OSError):  # the target may be gone already
                    self.target.shutdown(socket.SHUT_WR)


def relay(left: socket.socket, right: socket.socket, idle: float = IDLE_SECONDS) -> None:
    """Copy both ways. A side that has sent its last is told to the other one, which may still
    send. Raises IdleError, OSError; closing is the caller's."""
    there, back = Way(left, right), Way(right, left)
    pump(there, back, idle, until=lambda: there.is_over and back.is_over)


def pump(there: Way, back: Way, idle: float, *, until: Callable[[], bool]) -> None:
    """Move bytes both ways between two sockets. Raises IdleError, OSError."""
    ways = {there.source: (there, back), back.source: (back, there)}
    with selectors.PollSelector() as selector:  # needs no descriptor of its own
        for side in ways:
            side.setblocking(False)
        try:
            while not until():
                for side, (out, into) in ways.items():
                    _watch(selector, side, _mask(out, into))
                ready = selector.select(idle)
                if not ready:
                    raise IdleError
                for key, events in ready:
                    _step(*ways[key.fileobj], events)  # type: ignore[index]
        finally:
            for side in ways:
                side.settimeout(idle)


def _step(out: Way, into: Way, events: int) -> None:
    """What a socket is ready for: `out` begins at it, `into` ends there."""
    if events & selectors.EVENT_READ and not (out.pending or out.ended):
        out.read()
        if out.pending:
            out.write()  # it mostly fits
    if events & selectors.EVENT_WRITE and into.pending:
        into.write()
    out.settle()
    into.settle()


def _mask(out: Way, into: Way) -> int:
    reading = selectors.EVENT_READ if not (out.pending or out.ended) else 0
    return reading | (selectors.EVENT_WRITE if into.pending else 0)


def _watch(selector: selectors.BaseSelector, side: socket.socket, mask: int) -> None:
    known = selector.get_map().get(side)
    if known is None:
        if mask:
            selector.register(side, mask)
    elif not mask:
        selector.unregister(side)
    elif known.events != mask:
        selector.modify(side, mask)
