"""One connection: a plain `POST /invocations` goes straight to the model, all else to uvicorn.

A server's own work on a request (parser callbacks, a scope, a task, messages) costs several times
what the prediction of a row costs. But callers send the same few heads again and again. A head is
read once, by httptools, the parser that uvicorn has; known byte for byte it needs no reading again.
What isn't plain (chunked, `Expect`, another version, another path, a bad type, too large, garbage)
is handed to uvicorn's protocol, with everything that comes after it on the connection.

Must not know models or processes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol

from sagedock.runtime.serve.metrics import Slot
from sagedock.runtime.serve.problems import Refusal, failure

KEEP_ALIVE_SECONDS = 300.0
MOST_HEADS = 512
LONGEST_HEAD = 8192

_OK = b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-length: %%d\r\n\r\n%%b"
_CLOSE = b"connection: close\r\n"


class Invoke(Protocol):
    """What answers plain requests: `done` is called once, on the loop, with the body or an error.

    `accepts` tells the type of the answer for a request's types, and raises Refusal.
    """

    limit: int
    """Bytes; a longer body isn't gathered here."""

    def accepts(self, content_type: str, accept: str) -> str: ...

    def submit(
        self, body: bytes, content_type: str, accept: str, done: Callable[[bytes | Exception], None]
    ) -> None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """A plain request's head: how long its body is, what it is, and how an answer to it begins."""

    size: int
    length: int
    content_type: str
    accept: str
    reply: bytes


class Heads:
    """The heads that have been read, for all connections of a worker."""

    def __init__(self, invoke: Invoke) -> None:
        self._invoke = invoke
        self._known: dict[bytes, Head | None] = {}

    def find(self, data: bytes) -> Head | None:
        """The head that `data` begins with; None when it isn't a plain one, or isn't whole."""
        end = data.find(b"\r\n\r\n", 0, LONGEST_HEAD) + 4
        if end == 3:
            return None
        text = data[:end]
        if text in self._known:
            return self._known[text]
        if len(self._known) >= MOST_HEADS:
            self._known.clear()
        found = self._known[text] = self._read(text)
        return found

    def _read(self, text: bytes) -> Head | None:
        if not text.startswith(b"POST /invocations HTTP/1.1\r\n"):
            return None
        headers = parsed(text)
        length = headers.pop(b"content-length", b"") if headers is not None else b""
        if headers is None or not length.isdigit() or not _is_plain(headers):
            return None
        if not 0 < int(length) <= self._invoke.limit:
            return None
        content_type = headers.get(b"content-type", b"").decode("latin-1")
        try:
            accept = self._invoke.accepts(
                content_type, headers.get(b"accept", b"").decode("latin-1")
            )
        except Refusal:
            return None
        return Head(
            size=len(text),
            length=int(length),
            content_type=content_type,
            accept=accept,
            reply=_OK % accept.encode("latin-1"),
        )


_SPECIAL = (b"transfer-encoding", b"expect", b"connection", b"upgrade", b"te", b"trailer")


def _is_plain(headers: dict[bytes, bytes]) -> bool:
    if headers.get(b"connection", b"").lower() == b"keep-alive":
        headers.pop(b"connection")
    return not any(name in headers for name in _SPECIAL)


def parsed(text: bytes) -> dict[bytes, bytes] | None:
    """Headers by lower-case name; None for what httptools refuses and for a name that comes twice,
    which is not this module's to judge."""
    import httptools

    reader = _Reader()
    try:
        httptools.HttpRequestParser(reader).feed_data(text)
    except httptools.HttpParserError:
        return None
    except httptools.HttpParserUpgrade:
        return None
    return None if reader.twice else reader.headers


class _Reader:
    """httptools' callbacks."""

    def __init__(self) -> None:
        self.headers: dict[bytes, bytes] = {}
        self.twice = False

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        self.twice = self.twice or name in self.headers
        self.headers[name] = value


class Lane(asyncio.Protocol):
    """The connection. `connections` is uvicorn's set of those to wait for at a stop; `inner` makes
    uvicorn's protocol for what isn't plain."""

    def __init__(
        self,
        heads: Heads,
        invoke: Invoke,
        slot: Slot,
        connections: set[Any],
        inner: Callable[[], Any],
    ) -> None:
        self._heads = heads
        self._invoke = invoke
        self._slot = slot
        self._connections = connections
        self._make_inner = inner
        self._inner: Any = None
        self._transport: Any = None
        self._head: Head | None = None  # of the request that is being read or answered
        self._parts: list[bytes] = []
        self._missing = 0
        self._ahead = b""
        self._closing = False
        self._full = False
        self._since = time.perf_counter()
        self._timer: asyncio.TimerHandle | None = None

    # ---- the transport's side ----

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._connections.add(self)
        self._timer = asyncio.get_running_loop().call_later(KEEP_ALIVE_SECONDS, self._idle)

    def connection_lost(self, error: Exception | None) -> None:
        self._connections.discard(self)
        self._parts, self._ahead = [], b""
        if self._timer is not None:
            self._timer.cancel()
        if self._inner is not None:
            self._inner.connection_lost(error)

    def data_received(self, data: bytes) -> None:
        if self._inner is not None:
            self._inner.data_received(data)
        elif self._head is None:
            self._begin(data)
        elif self._missing > 0:
            self._go_on(data)
        else:
            self._ahead += data
            self._transport.pause_reading()

    def eof_received(self) -> None:
        if self._inner is not None:
            self._inner.eof_received()

    def pause_writing(self) -> None:
        """A caller that doesn't read its answers gets no further request read."""
        if self._inner is not None:
            self._inner.pause_writing()
        else:
            self._full = True
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._inner is not None:
            self._inner.resume_writing()
        elif self._full:
            self._full = False
            self._next()

    def shutdown(self) -> None:
        """uvicorn's word for a stop: what is in flight is answered, then the connection closes."""
        if self._inner is not None:
            self._inner.shutdown()
        elif self._head is None:
            self._transport.close()
        else:
            self._closing = True

    def _idle(self) -> None:
        left = self._since + KEEP_ALIVE_SECONDS - time.perf_counter()
        if self._inner is not None or self._transport.is_closing():
            return
        if (self._head is None or self._missing > 0) and left <= 0:
            self._transport.close()
            return
        again = left if left > 1 else KEEP_ALIVE_SECONDS
        self._timer = asyncio.get_running_loop().call_later(again, self._idle)

    # ---- requests ----

    def _begin(self, data: bytes) -> None:
        self._since = time.perf_counter()
        head = self._heads.find(data)
        if head is None:
            self._hand_over(data)
            return
        size = head.size + head.length
        self._head = head
        if len(data) == size:
            self._ask(data[head.size :])
        elif len(data) > size:
            self._ahead = data[size:]
            self._ask(data[head.size : size])
        else:
            self._parts = [data[head.size :]]
            self._missing = size - len(data)

    def _go_on(self, data: bytes) -> None:
        self._parts.append(data)
        self._missing -= len(data)
        if self._missing > 0:
            return
        body = b"".join(self._parts)
        self._parts = []
        if self._missing < 0:
            self._ahead, body = body[self._missing :], body[: self._missing]
            self._missing = 0
        self._ask(body)

    def _ask(self, body: bytes) -> None:
        head = self._head
        if head is not None:
            self._invoke.submit(body, head.content_type, head.accept, self._answer)

    def _answer(self, answer: bytes | Exception) -> None:
        head, self._head = self._head, None
        if self._transport.is_closing() or head is None:
            self._slot.answered(499, time.perf_counter() - self._since)
            return
        if isinstance(answer, bytes) and not self._closing:
            self._transport.write(head.reply % (len(answer), answer))
            self._slot.answered(200, time.perf_counter() - self._since)
        else:
            status = self._otherwise(answer, head)
            self._slot.answered(status, time.perf_counter() - self._since)
        if self._closing:
            self._transport.close()
        elif self._ahead and not self._full:
            asyncio.get_running_loop().call_soon(self._next)

    def _otherwise(self, answer: bytes | Exception, head: Head) -> int:
        """An error's answer, or the last one of the connection; its status."""
        status, kind = 200, head.accept.encode("latin-1")
        if isinstance(answer, Exception):
            refusal = answer if isinstance(answer, Refusal) else failure(answer)
            status, kind, answer = refusal.status, b"application/json", refusal.body()
        line = b"HTTP/1.1 %d %b\r\n" % (status, HTTPStatus(status).phrase.encode())
        close = _CLOSE if self._closing else b""
        lines = b"content-type: %b\r\ncontent-length: %d\r\n%b\r\n" % (kind, len(answer), close)
        self._transport.write(line + lines + answer)
        return status

    def _next(self) -> None:
        """What came while the last request was answered."""
        if self._head is not None or self._full or self._transport.is_closing():
            return
        data, self._ahead = self._ahead, b""
        self._transport.resume_reading()
        if data:
            self.data_received(data)

    def _hand_over(self, data: bytes) -> None:
        """From here on the connection is uvicorn's."""
        self._inner = self._make_inner()
        self._inner.connection_made(self._transport)
        self._connections.discard(self._inner)  # this one stands for it
        if self._closing:
            self._inner.shutdown()
        self._inner.data_received(data)
