"""One connection to a server, kept open: HTTP/1.1 with bodies that lie in files.

`http.client` speaks the protocol; what it lacks is here: sendfile, chunks, an answer that comes
while the body is still on its way, and a limit of time for all of a request. Must not know paths.
"""

from __future__ import annotations

import http.client
import os
import select
import socket
import tempfile
import time
from collections.abc import Mapping
from typing import IO

from sagedock.local.transform.bodies import Body, Part, Span, Stream

FAULTS = (OSError, http.client.HTTPException)
"""What a request raises where no whole answer came."""

_BLOCK = 1 << 20
_SPOOLED = 8 << 20


class Wire:
    """A connection to `address`, made when it is needed; for one thread at a time."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._connection = http.client.HTTPConnection(*address)
        self._deadline = 0.0

    def get(self, path: str, timeout: float) -> tuple[int, bytes]:
        """Status and body. Raises FAULTS."""
        return self._asked("GET", path, None, {}, timeout)

    def post(
        self, path: str, body: Body, headers: Mapping[str, str], timeout: float, *, spool: bool
    ) -> tuple[int, bytes | IO[bytes]]:
        """Status and body, with `spool` as a file at its beginning. `timeout` seconds for all of
        it. Raises FAULTS; TimeoutError when the time is up."""
        if not spool:
            return self._asked("POST", path, body, headers, timeout)
        file = tempfile.SpooledTemporaryFile(_SPOOLED)  # noqa: SIM115  (the caller's)
        try:
            status, _ = self._asked("POST", path, body, headers, timeout, into=file)
        except BaseException:
            file.close()
            raise
        file.seek(0)
        return status, file

    def close(self) -> None:
        """Let go of the connection; it is made anew when it is needed again."""
        self._connection.close()

    def _asked(
        self,
        method: str,
        path: str,
        body: Body | None,
        headers: Mapping[str, str],
        timeout: float,
        into: IO[bytes] | None = None,
    ) -> tuple[int, bytes]:
        self._deadline = time.monotonic() + timeout
        if self._was_closed():
            self.close()
        kept = self._connection.sock is not None
        try:
            whole, response = self._answered(method, path, body, headers)
        except ConnectionError:
            if not kept:
                raise
            # The server let go of an idle connection just now: no try of the request's own.
            whole, response = self._answered(method, path, body, headers)
        try:
            answer = self._received(response, into)
        except BaseException:
            self.close()
            raise
        if not whole:  # the rest of the body would be taken for the next request
            self.close()
        return response.status, answer

    def _answered(
        self, method: str, path: str, body: Body | None, headers: Mapping[str, str]
    ) -> tuple[bool, http.client.HTTPResponse]:
        """Whether all was sent, and the answer up to its body."""
        try:
            whole = self._sent(method, path, body, headers)
            return whole, self._connection.getresponse()
        except BaseException:
            self.close()
            raise

    def _was_closed(self) -> bool:
        """Whether the server has closed a connection that lay idle: then no request is lost."""
        sock = self._connection.sock
        return sock is not None and bool(_ready(sock, select.POLLIN, 0))

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left

    # sending

    def _sent(self, method: str, path: str, body: Body | None, headers: Mapping[str, str]) -> bool:
        """Whether all was sent: a server may answer before it has read all, and close."""
        connection = self._connection
        connection.timeout = self._left()
        if connection.sock is None:
            connection.connect()  # without Nagle's delay
        sock: socket.socket = connection.sock
        sock.settimeout(connection.timeout)
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        if isinstance(body, Stream):
            connection.putheader("Transfer-Encoding", "chunked")
            connection.endheaders()
            return self._streamed(sock, body)
        if body is None:
            connection.endheaders()
            return True
        size = len(body) if isinstance(body, bytes) else body.length
        connection.putheader("Content-Length", str(size))
        connection.endheaders()
        return self._part(sock, body)

    def _streamed(self, sock: socket.socket, body: Stream) -> bool:
        for part in body.parts():
            for piece in _pieces(part):
                size = len(piece) if isinstance(piece, bytes) else piece.length
                if size and not (
                    self._bytes(sock, b"%x\r\n" % size)
                    and self._part(sock, piece)
                    and self._bytes(sock, b"\r\n")
                ):
                    return False
        return self._bytes(sock, b"0\r\n\r\n")

    def _part(self, sock: socket.socket, part: Part) -> bool:
        if isinstance(part, bytes):
            return self._bytes(sock, part)
        return self._span(sock, part)

    def _bytes(self, sock: socket.socket, data: bytes) -> bool:
        rest = memoryview(data)
        while rest:
            if not self._may_send(sock):
                return False
            try:
                rest = rest[sock.send(rest) :]
            except BlockingIOError:
                continue
            except ConnectionError:
                return self._last_words(sock)
        return True

    def _span(self, sock: socket.socket, span: Span) -> bool:
        """From the file to the socket without a copy in this process."""
        offset, end = span.offset, span.offset + span.length
        while offset < end:
            if not self._may_send(sock):
                return False
            try:
                sent = os.sendfile(sock.fileno(), span.source.fileno, offset, end - offset)
            except BlockingIOError:
                continue
            except ConnectionError:
                return self._last_words(sock)
            if not sent:
                raise OSError(f"{span.source.name} ended at byte {offset} while it was read")
            offset += sent
        return True

    def _may_send(self, sock: socket.socket) -> bool:
        """False where an answer is there already: a refusal, which nobody reads the rest for."""
        events = _ready(sock, select.POLLIN | select.POLLOUT, self._left())
        if not events:
            raise TimeoutError("timed out")
        return not events & select.POLLIN

    def _last_words(self, sock: socket.socket) -> bool:
        """A server that closed while it was sent to: what it said first may still be there."""
        if _ready(sock, select.POLLIN, 0) & select.POLLIN:
            return False
        raise ConnectionResetError("the connection was closed while the payload was sent")

    # receiving

    def _received(self, response: http.client.HTTPResponse, into: IO[bytes] | None) -> bytes:
        parts: list[bytes] = []
        take = into.write if into else parts.append
        while True:
            if self._connection.sock is not None:
                self._connection.sock.settimeout(self._left())
            part = response.read1(_BLOCK)  # what has come, not all of the block: time goes on
            if not part:
                break
            take(part)
        if response.length:
            raise http.client.IncompleteRead(b"".join(parts)[:100], response.length)
        response.close()
        return b"".join(parts)


def _pieces(part: Part) -> list[Part]:
    """Chunks of at most a block: a server may hold one of them in memory."""
    if isinstance(part, bytes):
        return [part[at : at + _BLOCK] for at in range(0, len(part), _BLOCK)]
    end = part.offset + part.length
    return [Span(part.source, at, min(_BLOCK, end - at)) for at in range(part.offset, end, _BLOCK)]


def _ready(sock: socket.socket, events: int, seconds: float) -> int:
    """Events that have come within so many seconds."""
    poll = select.poll()
    poll.register(sock, events)
    found = poll.poll(seconds * 1000)
    return found[0][1] if found else 0
