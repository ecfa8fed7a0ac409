"""A bounded load on one address: so many requests over so many connections, and every answer.

Must not know what answers. Requests and answers are bytes; an answer is kept by its request.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Result:
    """`seconds` for all; `latencies` in seconds, sorted; `answers` by number of the body asked."""

    seconds: float
    latencies: list[float]
    answers: dict[int, bytes]
    failures: int


class _Client(asyncio.Protocol):
    def __init__(self, load: _Load) -> None:
        self._load = load
        self._buffer = b""
        self._number: int | None = None

    def connection_made(self, transport) -> None:
        self._transport = transport
        self._next()

    def connection_lost(self, error: Exception | None) -> None:
        """A server without keep-alive closes after each answer; one that breaks off has failed."""
        if self._number is not None:
            self._load.lost()

    def _next(self) -> None:
        self._number = self._load.take()
        if self._number is None:
            self._transport.close()
            return
        self._start = time.perf_counter()
        self._transport.write(self._load.requests[self._number])

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, mark, rest = self._buffer.partition(b"\r\n\r\n")
        if not mark:
            return
        lower = head.lower()
        length = int(lower.partition(b"content-length:")[2].partition(b"\r")[0])
        if len(rest) < length:
            return
        self._load.done(self._number, head, rest, time.perf_counter() - self._start)
        self._buffer = b""
        self._number = None
        if b"connection: close" in lower:
            self._transport.close()
            self._load.reconnect()
        else:
            self._next()


class _Load:
    def __init__(self, address: tuple[str, int], bodies: list[bytes], count: int) -> None:
        self.requests = [
            b"POST /invocations HTTP/1.1\r\nHost: bench\r\nContent-Type: text/csv\r\n"
            b"Accept: text/csv\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
            for body in bodies
        ]
        self._left = self._wanted = count
        self.latencies: list[float] = []
        self.answers: dict[int, bytes] = {}
        self.failures = 0
        self._address = address
        self._tasks: set[asyncio.Task] = set()
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def reconnect(self) -> None:
        loop = asyncio.get_running_loop()
        task = loop.create_task(loop.create_connection(lambda: _Client(self), *self._address))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def lost(self) -> None:
        self.failures += 1
        if not self.finished.done():
            self.finished.set_exception(ConnectionError("a connection broke during a request"))

    def take(self) -> int | None:
        if self._left <= 0:
            return None
        self._left -= 1
        return self._left % len(self.requests)

    def done(self, number: int, head: bytes, body: bytes, seconds: float) -> None:
        self.latencies.append(seconds)
        if b" 200 " in head[:15]:
            self.answers[number] = body
        else:
            self.failures += 1
        if len(self.latencies) == self._wanted:
            self.finished.set_result(None)


async def _run(
    address: tuple[str, int], bodies: list[bytes], connections: int, count: int, limit: float
) -> Result:
    load = _Load(address, bodies, count)
    start = time.perf_counter()
    for _ in range(connections):
        load.reconnect()
    await asyncio.wait_for(load.finished, limit)
    return Result(
        seconds=time.perf_counter() - start,
        latencies=sorted(load.latencies),
        answers=load.answers,
        failures=load.failures,
    )


def run(
    address: tuple[str, int],
    bodies: list[bytes],
    *,
    connections: int,
    count: int,
    limit: float = 60,
) -> Result:
    """Asks `count` requests, ends after `limit` seconds whatever happens."""
    import uvloop

    return uvloop.run(_run(address, bodies, connections, count, limit))
