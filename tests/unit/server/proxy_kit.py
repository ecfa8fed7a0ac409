"""What the proxy's tests stand on: a service that remembers, servers and proxies of the outside."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sagedock.server.messages import Request, Response
from sagedock.server.proxy import upstream
from sagedock.server.proxy.authority import Authority
from sagedock.server.proxy.heads import BadHeadError, parse, receive
from sagedock.server.proxy.proxy import Proxy
from sagedock.server.proxy.relay import relay

LOOPBACK = "127.0.0.1"


@dataclass
class Remembering:
    """A Service that says what it was asked."""

    seen: list[tuple[str, str, str, str, bytes]] = field(default_factory=list)

    def __call__(self, request: Request, /) -> Response:
        body = request.whole_body()
        self.seen.append((request.scheme, request.method, request.host, request.path, body))
        text = f"{request.scheme} {request.host} {request.path} {len(body)}"
        return Response(body=text.encode(), headers={"Content-Type": "text/plain"})

    @property
    def hosts(self) -> list[str]:
        return [host for _, _, host, _, _ in self.seen]


class Net:
    """The way out: names lead to ports of this machine, every one that is asked for is kept. What
    is not in the table can't be resolved."""

    def __init__(self, **places: int) -> None:
        self.places = {name.replace("_", "."): port for name, port in places.items()}
        self.asked: list[tuple[str, int]] = []

    def __call__(self, host: str, port: int) -> socket.socket:
        self.asked.append((host, port))
        if host == LOOPBACK:
            return upstream.dial(host, port)
        if host not in self.places:
            raise socket.gaierror(-2, "Name or service not known")
        return upstream.dial(LOOPBACK, self.places[host])


@contextlib.contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server of this machine: its port. Each connection is `serve`d in a thread."""
    threads: list[threading.Thread] = []

    def one(connection: socket.socket) -> None:
        connection.settimeout(20)
        with connection, contextlib.suppress(OSError):
            serve(connection)

    def accept(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threads.append(threading.Thread(target=one, args=(connection,), daemon=True))
                threads[-1].start()

    with socket.create_server((LOOPBACK, 0), backlog=300) as listener:
        acceptor = threading.Thread(target=accept, args=(listener,), daemon=True)
        acceptor.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        acceptor.join(5)
    for thread in threads:
        thread.join(5)


def echo(connection: socket.socket) -> None:
    while data := connection.recv(1 << 16):
        connection.sendall(data)


@dataclass
class RealProxy:
    """A proxy of the outside, as companies have one. Notes everything that reaches it."""

    net: Net
    lines: list[bytes] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    refuses: bytes = b""

    def __call__(self, connection: socket.socket) -> None:
        raw = receive(connection)
        self.raw.append(raw)
        self.lines.append(raw.partition(b"\r\n")[0])
        with contextlib.suppress(BadHeadError):
            head = parse(raw)
            if self.refuses:
                connection.sendall(self.refuses)
                return
            with self.net(head.host, head.port) as server:
                if head.is_connect:
                    connection.sendall(b"HTTP/1.1 200 OK\r\nVia: fake\r\n\r\n")
                else:
                    server.sendall(head.onward(to_proxy=False))
                relay(connection, server, 5)


@contextlib.contextmanager
def proxying(service, folder: Path, **options) -> Iterator[int]:
    """Our proxy: its port."""
    made: list[Authority] = []

    def authority() -> Authority:
        made.append(Authority.of(folder))
        return made[0]

    proxy = Proxy((LOOPBACK, 0), service, authority, **options)
    proxy.start()
    try:
        yield proxy.server_address[1]
    finally:
        proxy.shutdown()
        proxy.server_close()
        assert len(made) <= 1


def ask(port: int, text: str | bytes) -> socket.socket:
    """A connection to the proxy on which `text` was sent."""
    connection = socket.create_connection((LOOPBACK, port), timeout=10)
    connection.sendall(text.encode() if isinstance(text, str) else text)
    return connection


def all_of(connection: socket.socket) -> bytes:
    """Everything that comes until the peer ends."""
    with connection:
        return b"".join(iter(lambda: connection.recv(1 << 16), b""))


def tunnelled(port: int, host: str, target: int = 443) -> socket.socket:
    """A tunnel through the proxy."""
    connection = ask(port, f"CONNECT {host}:{target} HTTP/1.1\r\nHost: {host}\r\n\r\n")
    answer = receive(connection)
    assert answer.startswith(b"HTTP/1.1 200 "), answer
    return connection


def trusting(folder: Path) -> ssl.SSLContext:
    """A client that trusts the throw-away authority, and nobody else."""
    return ssl.create_default_context(cadata=Authority.of(folder).certificate.decode())
