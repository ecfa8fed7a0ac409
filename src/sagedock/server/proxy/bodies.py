"""One request's body and the response to it, through a proxy: not a byte of a next request.

A client may send its next request, which may be for AWS, on the same connection; so the end of
the body has to be found. Must not know AWS.
"""

from __future__ import annotations

import socket
from typing import Protocol

from sagedock.server.proxy.heads import LIMIT, Head
from sagedock.server.proxy.relay import Way, pump

_LINE = 4096
_NEIGHBOURS = frozenset((b"connection", b"keep-alive", b"proxy-connection"))


class BodyError(Exception):
    """A body whose end can't be told."""


class Framing(Protocol):
    """Finds the end of a body. `feed` gives what of the data belongs to it."""

    done: bool

    def feed(self, data: bytes, /) -> bytes: ...


class Sized:
    """A body of known length."""

    def __init__(self, size: int) -> None:
        self._left, self.done = size, not size

    def feed(self, data: bytes, /) -> bytes:
        """The part of `data` that belongs to the body."""
        part = data[: self._left]
        self._left -= len(part)
        self.done = not self._left
        return part


class Chunked:
    """A body in chunks (RFC 9112, 7.1), passed on as it came."""

    def __init__(self) -> None:
        self._left, self._line, self._trailing, self.done = 0, b"", False, False

    def feed(self, data: bytes, /) -> bytes:
        """The part of `data` that belongs to the body. Raises BodyError."""
        position = 0
        while position < len(data) and not self.done:
            if self._left:
                step = min(self._left, len(data) - position)
                self._left -= step
                position += step
                continue
            end = data.find(b"\n", position) + 1 or len(data)
            self._line += data[position:end]
            position = end
            if self._line.endswith(b"\n"):
                self._take(self._line.strip())
                self._line = b""
            elif len(self._line) > _LINE:
                raise BodyError("a line in a chunked body is too long")
        return data[:position]

    def _take(self, line: bytes) -> None:
        if self._trailing:
            self.done = not line
            return
        size = line.partition(b";")[0].strip()
        if not size or not all(char in b"0123456789abcdefABCDEF" for char in size):
            raise BodyError("a chunk's size is none")
        length = int(size[:16], 16)
        self._trailing = not length
        self._left = length + 2 if length else 0  # with the line end after it


class Closing:
    """What comes back, with the word that it is the last on its connection: not every server says
    so, though it was asked to close, and a client would go on to use it."""

    def __init__(self) -> None:
        self._head, self._passed = b"", False

    def feed(self, data: bytes, /) -> bytes:
        """What the client gets of it now."""
        if self._passed:
            return data
        self._head += data
        end = self._head.find(b"\r\n\r\n")
        if end < 0:
            self._passed = len(self._head) > LIMIT or not self._head.startswith(
                b"HTTP"[: len(self._head)]
            )
            return self._head if self._passed else b""
        head, rest = self._head[:end], self._head[end + 4 :]
        if head[9:10] == b"1":  # 100 Continue and its like: another head follows
            self._head = b""
            return head + b"\r\n\r\n" + (self.feed(rest) if rest else b"")
        self._passed = True
        lines = [line for line in head.split(b"\r\n")
                 if line.partition(b":")[0].lower() not in _NEIGHBOURS]  # fmt: skip
        return b"\r\n".join([*lines, b"Connection: close", b"", b""]) + rest

    def end(self) -> bytes:
        """What was held back, when the server has ended."""
        return b"" if self._passed else self._head


def framing_of(head: Head) -> Framing:
    """How the end of the head's body is told. Raises BodyError."""
    coding, length = head.field("transfer-encoding").lower(), head.field("content-length")
    if coding:
        if coding != "chunked" or length:
            raise BodyError("Transfer-Encoding must be chunked, without Content-Length")
        return Chunked()
    if length and not (length.isascii() and length.isdigit() and len(length) < 19):
        raise BodyError("Content-Length is no number")
    return Sized(int(length or 0))


def copy_body(client: socket.socket, server: socket.socket, framing: Framing, idle: float) -> None:
    """The body from client to server, and whatever comes back until the server ends. Raises
    IdleError, BodyError, OSError."""
    closing = Closing()

    def body(data: bytes) -> bytes:
        part = framing.feed(data)
        if framing.done:
            there.end()
        return part

    there, back = Way(client, server, body, ends=False), Way(server, client, closing.feed)
    if framing.done:
        there.end()

    def is_over() -> bool:
        if there.ended and not framing.done:
            raise BodyError("the client went away in the middle of its body")
        if back.ended and not back.is_over:
            back.end(closing.end())
        return back.is_over

    pump(there, back, idle, until=is_over)
