"""HTTP connections to containers, kept open, and one request on one of them.

A request is sent once. A connection that the server may have closed in the meantime is not used;
only where connecting itself failed can another container be asked instead, and the caller is told
that apart. Must not know what is asked for.
"""

from __future__ import annotations

import http.client
import select
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any, cast

IDLE_SECONDS = 1.0
"""Servers close connections that lie idle (the shortest habit is 2 s), and their closing may cross
a request on its way: one that lay longer is made anew."""

_BLOCK = 1 << 16
_SENT = 1 << 18
_FAULTS = (OSError, http.client.HTTPException)


class UnreachableError(Exception):
    """No connection was made: nothing was sent."""


class BrokenError(Exception):
    """No whole answer came, though the request may have been read."""


class LateError(Exception):
    """The time was up before a whole answer had come."""


class LargeError(Exception):
    """The answer has more bytes than were allowed for."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """A request's or an answer's body with its headers; `status` is an answer's."""

    body: bytes | IO[bytes]
    headers: Mapping[str, str]
    status: int = 0

    @property
    def is_good(self) -> bool:
        """Whether the status says success."""
        return 200 <= self.status < 300

    @property
    def content(self) -> bytes:
        """The body as bytes; a file is read."""
        return self.body if isinstance(self.body, bytes) else self.body.read()


class _Joining(http.client.HTTPConnection):
    """Sends head and body of a small request in one piece, where http.client takes two: the
    server is woken once."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port, blocksize=_SENT)
        self._held: list[bytes] | None = None

    def send(self, data: Any) -> None:
        """Send, or hold until all is there."""
        if self._held is None:
            super().send(data)
        else:
            self._held.append(data)

    def post(self, method: str, path: str, message: Message) -> None:
        """Send a request."""
        body = message.body
        if not isinstance(body, bytes) or len(body) > _BLOCK:
            self.request(method, path, body, message.headers)
            return
        held: list[bytes] = []
        self._held = held
        try:
            self.request(method, path, body, message.headers)
        finally:
            self._held = None
        super().send(b"".join(held))


class Connection:
    """A connection to `address`, for one request at a time; made when needed. It goes back to its
    `home` when an answer was read, and leaves it when it is closed."""

    def __init__(self, address: tuple[str, int], home: Connections) -> None:
        self.address, self._home = address, home
        self._http = _Joining(*address)
        self._used = 0.0
        self._deadline = 0.0

    def begin(self, method: str, path: str, message: Message, deadline: float) -> Answer:
        """Send a request, and read its answer's head. `deadline` (of time.monotonic) is for all
        of it, to the last byte of the answer. Raises UnreachableError, BrokenError, LateError."""
        self._deadline = deadline
        self._connect()
        try:
            whole = self._send(method, path, message)
            return Answer(self, self._http.getresponse(), reusable=whole)
        except _FAULTS as error:
            raise self.broken(error) from error
        except BaseException:
            self.close()
            raise

    def _send(self, method: str, path: str, message: Message) -> bool:
        """Whether all was sent: a server may answer before it has read all, and close."""
        try:
            self._http.post(method, path, message)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def _connect(self) -> None:
        if self._http.sock is not None:
            self.limit()
            return
        self._http.timeout = self._left()
        try:
            self._http.connect()
        except OSError as error:
            self.close()
            raise UnreachableError(_reason(error)) from error

    @property
    def lies_idle(self) -> bool:
        """Whether it was not used for so long that it will not be used again."""
        return time.monotonic() - self._used > IDLE_SECONDS

    @property
    def is_stale(self) -> bool:
        """Whether the server has closed it, or may be about to."""
        if self.lies_idle or self._http.sock is None:
            return True
        poll = select.poll()  # not select: that fails on descriptors beyond 1023
        poll.register(self._http.sock, select.POLLIN)
        return bool(poll.poll(0))  # closed by the server, or bytes that nobody asked for

    def limit(self) -> None:
        """Let the next step take no longer than until the deadline. Raises LateError."""
        left = self._left()
        sock: socket.socket | None = self._http.sock
        if sock is not None:  # None: an answer that ends the connection has it now
            sock.settimeout(left)

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            self.close()
            raise LateError
        return left

    def broken(self, error: BaseException) -> Exception:
        """What has gone wrong on this connection, which is closed."""
        self.close()
        return LateError() if isinstance(error, TimeoutError) else BrokenError(_reason(error))

    def done(self) -> None:
        """An answer was read to its end: the connection may be used again."""
        self._used = time.monotonic()
        self._home.put(self)

    def close(self) -> None:
        """Let go of it."""
        self._home.drop(self)
        self._http.close()

    def abort(self) -> None:
        """Break it off, from any thread: who waits for an answer on it gets BrokenError."""
        sock: socket.socket | None = self._http.sock
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


class Answer:
    """An answer under way: `status` and `headers` are there, the body comes by `parts`."""

    def __init__(
        self, connection: Connection, response: http.client.HTTPResponse, *, reusable: bool = True
    ) -> None:
        self._connection, self._response = connection, response
        self._reusable = reusable
        self.status = response.status

    def header(self, name: str) -> str | None:
        """A header's value."""
        return self._response.getheader(name)

    def parts(self) -> Iterator[bytes]:
        """The body as it comes, each part at most 64 KB. Raises BrokenError, LateError."""
        response = self._response
        try:
            while response.length != 0:
                self._connection.limit()
                part = response.read1(_BLOCK)
                if not part:
                    break
                yield part
        except _FAULTS as error:
            raise self._connection.broken(error) from error
        except BaseException:  # whoever stops reading leaves bytes on the connection
            self._connection.close()
            raise
        if response.length:
            raise self._connection.broken(http.client.IncompleteRead(b"", response.length))
        response.close()
        if self._reusable:
            self._connection.done()
        else:
            self._connection.close()

    def whole(self, most: int | None = None) -> Message:
        """The answer with all of its body. Raises LargeError for more than `most` bytes."""
        found = []
        size = 0
        for part in self.parts():
            found.append(part)
            size += len(part)
            if most is not None and size > most:
                self.close()
                raise LargeError
        body = found[0] if len(found) == 1 else b"".join(found)
        headers = cast("Mapping[str, str]", self._response.headers)  # whatever their case
        return Message(status=self.status, headers=headers, body=body)

    def close(self) -> None:
        """Stop reading: the connection is given up."""
        with suppress(OSError):
            self._response.close()
        self._connection.close()


class ReadAnswer:
    """An answer that was read already, as an Answer."""

    def __init__(self, message: Message) -> None:
        self._message = message
        self.status = message.status

    def header(self, name: str) -> str | None:
        """A header's value."""
        return self._message.headers.get(name)

    def parts(self) -> Iterator[bytes]:
        """The body, if there is any."""
        if self._message.content:
            yield self._message.content

    def whole(self, most: int | None = None) -> Message:
        """The answer. Raises LargeError for more than `most` bytes."""
        if most is not None and len(self._message.content) > most:
            raise LargeError
        return self._message

    def close(self) -> None:
        """Nothing is under way."""


class Connections:
    """Connections by address: as many as there were requests at a time, whoever made them."""

    def __init__(self) -> None:
        self._idle: dict[tuple[str, int], list[Connection]] = {}
        self._busy: set[Connection] = set()
        self._closed = False
        self._lock = threading.Lock()

    def to(self, address: tuple[str, int]) -> Connection:
        """A connection to `address` that nobody else has."""
        while (found := self._taken(address)) is not None:
            if not found.is_stale:
                return found
            found.close()
        self._drop_idle()  # containers come and go: connections to those of old are not kept
        found = Connection(address, self)
        with self._lock:
            self._busy.add(found)
        return found

    def _taken(self, address: tuple[str, int]) -> Connection | None:
        with self._lock:
            idle = self._idle.get(address)
            if not idle:
                return None
            found = idle.pop()
            self._busy.add(found)
            return found

    def _drop_idle(self) -> None:
        with self._lock:
            gone = [item for idle in self._idle.values() for item in idle if item.lies_idle]
            for item in gone:
                self._idle[item.address].remove(item)
            self._idle = {address: idle for address, idle in self._idle.items() if idle}
        for item in gone:
            item.close()

    def put(self, connection: Connection) -> None:
        """Somebody has done with a connection."""
        with self._lock:
            self._busy.discard(connection)
            if not self._closed:
                self._idle.setdefault(connection.address, []).append(connection)
                return
        connection.close()

    def drop(self, connection: Connection) -> None:
        """A connection is closed."""
        with self._lock:
            self._busy.discard(connection)

    def abort(self) -> None:
        """Break off whatever is under way on any of them."""
        with self._lock:
            busy = list(self._busy)
        for connection in busy:
            connection.abort()

    def close(self) -> None:
        """Close all of them; nothing may be under way."""
        with self._lock:
            self._closed = True
            found = [*self._busy, *(item for idle in self._idle.values() for item in idle)]
            self._idle.clear()
        for connection in found:
            connection.close()


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
