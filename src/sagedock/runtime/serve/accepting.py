"""Who takes a new connection: of all workers on one socket, one with the fewest.

All workers hear of it. One that sees a sibling with fewer connections leaves it to that sibling,
looks again a millisecond later, and takes it after all when the sibling is busy, or gone. So no
worker hands anything to another: who is killed takes only its own connections along, and what
nobody has taken yet waits in the kernel. Must not know HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import select
import socket
import sys
from collections.abc import Callable
from typing import Any

from sagedock.runtime.serve.metrics import Slot

BACKLOG = 2048
AGAIN_SECONDS = 0.001
MOST_LOOKS = 8
FULL_SECONDS = 0.1
"""No file descriptors left: whoever has them now must end first."""


class Open(set[Any]):
    """A worker's connections; their number is there for all workers to see."""

    def __init__(self, slot: Slot) -> None:
        super().__init__()
        self._slot = slot
        self._coming = 0

    def coming(self, change: int) -> None:
        """A connection that is taken and not yet in the set (1), or now is (-1)."""
        self._coming += change
        self.tell()

    def tell(self) -> None:
        self._slot.open_connections(len(self) + self._coming)

    def add(self, one: Any) -> None:
        super().add(one)
        self.tell()

    def discard(self, one: Any) -> None:
        super().discard(one)
        self.tell()


class Acceptor:
    """Takes connections from `listener` for this worker; `made` makes the protocol of one."""

    def __init__(
        self, listener: socket.socket, made: Callable[[], Any], connections: Open, slot: Slot
    ) -> None:
        self._listener = listener
        self._made = made
        self._open = connections
        self._slot = slot
        self._looks = 0
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def start(self) -> None:
        self._listener.listen(BACKLOG)
        self._open.tell()
        self._loop.add_reader(self._listener.fileno(), self._ready)

    def close(self) -> None:
        """Takes what waits already, and nothing any more: its siblings need not wait for it."""
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._listener.fileno())
        while self._take():
            pass
        self._listener.close()
        self._slot.leave()

    def _ready(self) -> None:
        if self._looks < MOST_LOOKS and not self._slot.is_least_loaded():
            self._looks += 1
            self._rest(AGAIN_SECONDS)
        else:
            self._looks = 0
            self._take()

    def _rest(self, seconds: float) -> None:
        self._loop.remove_reader(self._listener.fileno())
        self._loop.call_later(seconds, self._look)

    def _look(self) -> None:
        if self._closed:
            return
        self._loop.add_reader(self._listener.fileno(), self._ready)
        if not select.select([self._listener], [], [], 0)[0]:
            self._looks = 0  # a sibling took it

    def _take(self) -> bool:
        """Whether there was one."""
        try:
            client, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return False
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                raise
            print(f"sagedock: no connection can be taken: {error}", file=sys.stderr, flush=True)
            if not self._closed:
                self._rest(FULL_SECONDS)
            return False
        client.setblocking(False)
        if client.family == socket.AF_INET:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open.coming(1)
        task = self._loop.create_task(self._connect(client))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def _connect(self, client: socket.socket) -> None:
        try:
            with contextlib.suppress(ConnectionError):
                await self._loop.connect_accepted_socket(self._made, client)
        finally:
            self._open.coming(-1)
