"""The proxy that programs are given: what is meant for AWS is answered here, on this machine.

Programs and SDKs that spell out `https://sts.us-east-1.amazonaws.com` ask for it by CONNECT; the
answer comes from the same Service as all others, under a certificate of the throw-away authority.
Everything else goes where it was meant to go, unread. No name of AWS is ever resolved, or told to
another proxy.
"""

from __future__ import annotations

import contextlib
import io
import socket
import socketserver
import threading
from collections.abc import Callable
from typing import Any

from sagedock.server import http
from sagedock.server.messages import Service
from sagedock.server.proxy import aws_hosts, hello, upstream
from sagedock.server.proxy.authority import Authority
from sagedock.server.proxy.bodies import BodyError, copy_body, framing_of
from sagedock.server.proxy.heads import LIMIT, BadHeadError, Head, parse, receive
from sagedock.server.proxy.relay import IDLE_SECONDS, IdleError, relay
from sagedock.server.proxy.upstream import Address, Dial, Upstream

CONNECTIONS = 512
"""More at once are turned away: each is a thread."""

_HELLO_SECONDS = 5.0
_DRAINED = 64
_TLS_HANDSHAKE = 0x16
_OVER = b"HTTP/1.1 200 Connection established\r\n\r\n"


class RefusedError(Exception):
    """A connection that is not made, and the HTTP status that says why."""

    def __init__(self, status: str, text: str) -> None:
        super().__init__(text)
        self.status = status


class Proxy(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Listens at `address`, which must be loopback. `start` serves in a thread.

    With `offline` nothing goes beyond this machine; else connections go out by `dial`, through the
    proxies of `outside`. `authority` is called when a certificate is needed for the first time.
    """

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 256

    def __init__(
        self,
        address: tuple[str, int],
        service: Service,
        authority: Callable[[], Authority],
        *,
        outside: Upstream | None = None,
        offline: bool = False,
        dial: Dial = upstream.dial,
        idle: float = IDLE_SECONDS,
        connections: int = CONNECTIONS,
    ) -> None:
        self._service, self._make_authority = service, authority
        self._outside, self._offline, self._dial = outside or Upstream(), offline, dial
        self._idle = idle
        self._slots = threading.BoundedSemaphore(connections)
        self._authority: Authority | None = None
        self._lock = threading.Lock()
        super().__init__(address, socketserver.BaseRequestHandler)

    def start(self) -> threading.Thread:
        """Serve until `shutdown`, in a thread."""
        thread = threading.Thread(target=self.serve_forever, args=(0.1,), daemon=True)
        thread.start()
        return thread

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether there is room for one more."""
        if self._slots.acquire(blocking=False):
            return True
        with contextlib.suppress(OSError):
            request.settimeout(1)
            request.sendall(_said("503 Service Unavailable", "Too many connections at once."))
        return False

    def process_request(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no more threads
            self._slots.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """One connection, from its first byte to its last."""
        client: socket.socket = request
        client.settimeout(self._idle)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            raw = receive(client)
            if raw:
                self._serve(client, client_address, parse(raw))
        except BadHeadError as error:
            _refuse(client, "400 Bad Request", str(error))
        except RefusedError as error:
            _refuse(client, error.status, str(error))
        except (OSError, IdleError, BodyError):  # ssl.SSLError is an OSError
            pass  # a peer that went away, or was idle for too long

    def _serve(self, client: socket.socket, peer: Any, head: Head) -> None:
        if aws_hosts.is_metadata(head.host):
            raise RefusedError("403 Forbidden", "Credentials of real machines are not given out.")
        if aws_hosts.is_aws(head.host):
            if head.is_connect:
                client.sendall(_OVER)
                self._answer(client, peer, head.host)
            else:
                with _Replayed(client, head.raw) as whole:
                    http.answer(whole, peer, self._service, scheme="http", once=True)
            return
        if head.is_connect:
            self._tunnel(client, peer, head)
        else:
            self._forward(client, head)

    # AWS

    def _answer(self, client: socket.socket, peer: Any, host: str) -> None:
        first = client.recv(1, socket.MSG_PEEK)
        if first and first[0] == _TLS_HANDSHAKE:
            with self._of_authority().context(host).wrap_socket(client, server_side=True) as inner:
                http.answer(inner, peer, self._service, scheme="https")
        elif first:
            http.answer(client, peer, self._service, scheme="http")

    def _of_authority(self) -> Authority:
        with self._lock:
            if self._authority is None:
                self._authority = self._make_authority()
            return self._authority

    # everything else

    def _tunnel(self, client: socket.socket, peer: Any, head: Head) -> None:
        way, server = self._connected(head, tls=True)
        with server:
            if way:
                server.sendall(_connect_line(head, way))
                answer = receive(server)
                if answer[9:12] != b"200":
                    client.sendall(answer)
                    with contextlib.suppress(IdleError):
                        relay(server, client, self._idle)
                    return
            client.sendall(_OVER)
            name = hello.peeked_name(client, server, _HELLO_SECONDS)
            if name is None or not aws_hosts.is_aws(name):
                relay(client, server, self._idle)
                return
        self._answer(client, peer, name)  # a client that has resolved the name by itself

    def _forward(self, client: socket.socket, head: Head) -> None:
        try:
            framing = framing_of(head)
        except BodyError as error:
            raise BadHeadError(str(error)) from None
        way, server = self._connected(head, tls=False)
        with server:
            authorization = way.authorization if way else None
            server.sendall(head.onward(to_proxy=way is not None, authorization=authorization))
            copy_body(client, server, framing, self._idle)

    def _connected(self, head: Head, *, tls: bool) -> tuple[Address | None, socket.socket]:
        way = self._outside.proxy_for(head.host, head.port, tls=tls)
        if self._offline and not aws_hosts.is_loopback(head.host):
            raise RefusedError("403 Forbidden", f"{head.host} is not on this machine: --offline")
        host, port = (way.host, way.port) if way else (head.host, head.port)
        if (host, port) == self.server_address[:2]:
            raise RefusedError("508 Loop Detected", "That is this proxy itself.")
        try:
            server = self._dial(host, port)
        except (OSError, UnicodeError) as error:
            raise RefusedError("502 Bad Gateway", f"{host} can't be reached: {error}") from None
        server.settimeout(self._idle)
        with contextlib.suppress(OSError):
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return way, server


class _Replayed(socket.socket):
    """A connection that begins with what was read of it already."""

    def __init__(self, connection: socket.socket, read: bytes) -> None:
        super().__init__(fileno=connection.dup().detach())
        self.settimeout(connection.gettimeout())
        self._read = read

    def makefile(self, mode: str = "r", buffering: int | None = None, **more: Any) -> Any:
        """As sockets do; what is read begins with what was read."""
        if "r" not in mode:
            return super().makefile(mode, buffering, **more)  # type: ignore[call-overload]
        raw = super().makefile("rb", buffering=0)
        return io.BufferedReader(_Joined(self._read, raw), 1 << 16)


class _Joined(io.RawIOBase):
    def __init__(self, first: bytes, then: Any) -> None:
        self._first, self._then = first, then

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        if not self._first:
            read: int | None = self._then.readinto(buffer)
            return read
        part = self._first[: len(buffer)]
        buffer[: len(part)] = part
        self._first = self._first[len(part) :]
        return len(part)

    def close(self) -> None:
        self._then.close()
        super().close()


def _connect_line(head: Head, way: Address) -> bytes:
    lines = [f"CONNECT {head.netloc} HTTP/1.1", f"Host: {head.netloc}"]
    if way.authorization:
        lines.append(f"Proxy-Authorization: {way.authorization}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _said(status: str, text: str) -> bytes:
    body = f"{text}\n".encode()
    fields = f"Content-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close"
    return f"HTTP/1.1 {status}\r\n{fields}\r\n\r\n".encode() + body


def _refuse(client: socket.socket, status: str, text: str) -> None:
    with contextlib.suppress(OSError):
        client.sendall(_said(status, text))
        client.shutdown(socket.SHUT_WR)
        client.settimeout(1)
        for _ in range(_DRAINED):  # closing with bytes unread would take the answer away
            if not client.recv(LIMIT):
                return
