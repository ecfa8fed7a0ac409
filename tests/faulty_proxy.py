"""A proxy on loopback that breaks what passes: cut connections, answers of its own, pauses.

One request a connection, in plain HTTP. Each rule is used up after `times` requests, so that what
tries again can be seen to succeed.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType

_BLOCK = 1 << 16
_TLS = b"\x16\x03"
"""How a client begins that tries TLS first: it is told at once that there is none."""


@dataclass
class Rule:
    """What befalls requests whose first line and headers match `pattern`, `times` of them."""

    pattern: str
    times: int = 1
    cut_up: int | None = None
    """Cut after so many bytes of the request's body have passed."""
    cut_down: int | None = None
    """Cut after so many bytes of the answer, head included, have passed."""
    status: int | None = None
    """Answer with it; nobody behind the proxy is asked."""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    pause: float = 0.0
    """Seconds before anything is done."""


class FaultyProxy:
    """Listens on 127.0.0.1 (or `listen`) and passes to `host`:`port`, as the rules allow."""

    def __init__(self, host: str, port: int, *, listen: str = "127.0.0.1") -> None:
        self._behind = (host, port)
        self._rules: list[Rule] = []
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self.seen: list[str] = []
        """First line and headers of every request, as text."""
        self.sent = 0
        """Bytes of requests that were passed on."""
        self._door = socket.create_server((listen, 0))
        self.address = "{}:{}".format(*self._door.getsockname()[:2])
        self.url = f"http://{self.address}"

    def __enter__(self) -> FaultyProxy:
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        self._thread.join()
        with self._lock:
            connections = set(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def rule(self, pattern: str, **what: object) -> Rule:
        """Add a rule: `proxy.rule(r"PUT /v2/", cut_up=1000, times=2)`. The first that matches and
        is not used up applies."""
        made = Rule(pattern, **what)  # type: ignore[arg-type]
        with self._lock:
            self._rules.append(made)
        return made

    def asked(self, pattern: str) -> int:
        """How many requests have matched `pattern`."""
        with self._lock:
            return sum(bool(re.search(pattern, head)) for head in self.seen)

    # one connection

    def _listen(self) -> None:
        while True:
            try:
                client, _ = self._door.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with self._kept(client), contextlib.suppress(OSError):
            head, rest = _read_head(client)
            if not head:
                return
            rule = self._applies(head)
            if rule.pause:
                time.sleep(rule.pause)
            if rule.status is not None:
                _answer(client, head, rest, rule)
                return
            with self._kept(socket.create_connection(self._behind)) as server:
                server.sendall(_closing(head) + rest[: rule.cut_up])
                self._count(len(head) + len(rest))
                left = None if rule.cut_up is None else max(rule.cut_up - len(rest), 0)
                arguments = (client, server, left, self._count)
                up = threading.Thread(target=_pass, args=arguments, daemon=True)
                up.start()
                _pass(server, client, rule.cut_down)
                _hang_up(server)
                up.join()

    def _count(self, size: int) -> None:
        with self._lock:
            self.sent += size

    def _applies(self, head: bytes) -> Rule:
        text = head.decode("latin-1")
        with self._lock:
            self.seen.append(text)
            for rule in self._rules:
                if rule.times and re.search(rule.pattern, text):
                    rule.times -= 1
                    return rule
        return Rule("")

    @contextlib.contextmanager
    def _kept(self, connection: socket.socket) -> Iterator[socket.socket]:
        with self._lock:
            self._open.add(connection)
        try:
            yield connection
        finally:
            _hang_up(connection)
            connection.close()
            with self._lock:
                self._open.discard(connection)


def _read_head(client: socket.socket) -> tuple[bytes, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        block = client.recv(_BLOCK)
        if not block or (data + block).startswith(_TLS):
            return b"", b""
        data += block
    head, _, rest = data.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n", rest


def _closing(head: bytes) -> bytes:
    """One request a connection, so that every request's head is seen."""
    first, _, rest = head.partition(b"\r\n")
    rest = re.sub(rb"(?im)^connection:.*\r\n", b"", rest)
    return first + b"\r\nConnection: close\r\n" + rest


def _pass(
    source: socket.socket,
    target: socket.socket,
    limit: int | None,
    count: Callable[[int], None] = lambda size: None,
) -> None:
    """Pass bytes on until the source ends; after `limit` of them both ends are cut."""
    with contextlib.suppress(OSError):
        while limit is None or limit > 0:
            block = source.recv(_BLOCK if limit is None else min(_BLOCK, limit))
            if not block:
                with contextlib.suppress(OSError):
                    target.shutdown(socket.SHUT_WR)
                return
            target.sendall(block)
            count(len(block))
            limit = None if limit is None else limit - len(block)
        _hang_up(source)
        _hang_up(target)


def _answer(client: socket.socket, head: bytes, rest: bytes, rule: Rule) -> None:
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    left = int(length[1]) - len(rest) if length else 0
    while left > 0 and (block := client.recv(_BLOCK)):  # or the client would see a reset
        left -= len(block)
    lines = {"Content-Length": str(len(rule.body)), "Connection": "close", **rule.headers}
    fields = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    client.sendall(f"HTTP/1.1 {rule.status} Fault\r\n{fields}\r\n".encode() + rule.body)


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
