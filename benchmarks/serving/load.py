"""A bounded load on one address: so many requests over so many connections, and every answer.

One thread, sockets and epoll and nothing else, so that what asks takes little of the machine from
what answers. Must not know what answers. Requests and answers are bytes; an answer is kept by its
request.
"""

from __future__ import annotations

import select
import socket
import time
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Result:
    """`seconds` for all; `latencies` in seconds, sorted; `answers` by number of the body asked."""

    seconds: float
    latencies: list[float]
    answers: dict[int, bytes]
    failures: int


class _Client:
    """One connection: a request, its whole answer, the next request."""

    __slots__ = ("buffer", "number", "socket", "start", "unsent")

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.buffer = b""
        self.unsent = memoryview(b"")
        self.number = -1
        self.start = 0.0

    def send(self) -> bool:
        """Whether all of the request has gone out."""
        try:
            self.unsent = self.unsent[self.socket.send(self.unsent) :]
        except BlockingIOError:
            return False
        return not self.unsent


class _Load:
    def __init__(self, address: tuple[str, int], bodies: list[bytes], count: int) -> None:
        self.requests = [
            b"POST /invocations HTTP/1.1\r\nHost: bench\r\nContent-Type: text/csv\r\n"
            b"Accept: text/csv\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
            for body in bodies
        ]
        self._address = address
        self._poll = select.epoll()
        self._clients: dict[int, _Client] = {}
        self._left = self._wanted = count
        self.latencies: list[float] = []
        self.answers: dict[int, bytes] = {}
        self.failures = 0

    def run(self, connections: int, limit: float) -> None:
        for _ in range(min(connections, self._wanted)):
            self._connect()
        end = time.perf_counter() + limit
        while len(self.latencies) < self._wanted:
            for descriptor, _ in self._poll.poll(1):
                client = self._clients[descriptor]
                if client.unsent:
                    self._send(client)
                else:
                    self._read(client)
            if time.perf_counter() > end:
                raise TimeoutError(f"{len(self.latencies)} of {self._wanted} answers in {limit} s")
        for client in self._clients.values():
            client.socket.close()

    def _connect(self) -> None:
        client = _Client(self._address)
        self._clients[client.socket.fileno()] = client
        self._poll.register(client.socket, select.EPOLLIN)
        self._next(client)

    def _next(self, client: _Client) -> None:
        if self._left <= 0:
            return
        self._left -= 1
        client.number = self._left % len(self.requests)
        client.unsent = memoryview(self.requests[client.number])
        client.start = time.perf_counter()
        if not client.send():
            self._poll.modify(client.socket, select.EPOLLOUT)

    def _send(self, client: _Client) -> None:
        if client.send():
            self._poll.modify(client.socket, select.EPOLLIN)

    def _read(self, client: _Client) -> None:
        data = client.socket.recv(1 << 18)
        if not data:
            raise ConnectionError("a connection broke during a request")
        client.buffer += data
        head, mark, rest = client.buffer.partition(b"\r\n\r\n")
        if not mark:
            return
        lower = head.lower()
        length = int(lower.partition(b"content-length:")[2].partition(b"\r")[0])
        if len(rest) < length:
            return
        self.latencies.append(time.perf_counter() - client.start)
        if head.startswith(b"HTTP/1.1 200"):
            self.answers[client.number] = rest
        else:
            self.failures += 1
        client.buffer = b""
        if b"connection: close" in lower:
            self._poll.unregister(client.socket)
            del self._clients[client.socket.fileno()]
            client.socket.close()
            self._connect()
        else:
            self._next(client)


def run(
    address: tuple[str, int],
    bodies: list[bytes],
    *,
    connections: int,
    count: int,
    limit: float = 60,
) -> Result:
    """Asks `count` requests, ends after `limit` seconds whatever happens."""
    load = _Load(address, bodies, count)
    start = time.perf_counter()
    load.run(connections, limit)
    return Result(
        seconds=time.perf_counter() - start,
        latencies=sorted(load.latencies),
        answers=load.answers,
        failures=load.failures,
    )
