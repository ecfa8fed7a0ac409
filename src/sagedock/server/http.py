"""HTTP/1.1 on this machine: sockets to Request, Response to sockets. Must not know AWS.

Threads, since a request is mostly waiting for the disk or a container, and files go out by
sendfile. The standard library's server does connections and heads; bodies are ours, for it has
none.
"""

from __future__ import annotations

import http.server
import re
import socket
import socketserver
import sys
import threading
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from email import errors
from http import HTTPStatus
from typing import Any, BinaryIO, cast

from sagedock.server.messages import FilePart, Headers, Request, Response, Service

_IDLE_SECONDS = 75.0
_BLOCK = 1 << 18
_LINE = 1 << 16
_DRAINED = 1 << 20
"""Bytes of a body that nobody read and that are read away so that the connection can go on."""

_IN_FLIGHT = 1 << 18
"""Bytes of a file that the kernel holds for a peer. What it holds by itself, megabytes for each of
a client's ten connections, has left the processor's cache before it is read: boto3's downloads in
ranges were 1.4 to 1.7 times as fast with this, single ones were no slower."""

_BACKLOG = 128
_SIZE = re.compile(rb"[0-9a-fA-F]{1,16}")
_NO_FIELDS = (
    errors.FirstHeaderLineIsContinuationDefect,
    errors.MisplacedEnvelopeHeaderDefect,
    errors.MissingHeaderBodySeparatorDefect,
)
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A field's name (RFC 9110, 5.6.2)."""


class MalformedError(Exception):
    """The peer does not speak HTTP."""


class _Sized:
    """A body of known length."""

    def __init__(self, stream: BinaryIO, size: int, agree: Any) -> None:
        self._stream, self.left, self._agree = stream, size, agree

    def read(self, size: int = -1) -> bytes:
        wanted = self.left if size < 0 else min(size, self.left)
        if not wanted:
            return b""
        self._agree()
        data = self._stream.read(wanted)
        self.left -= len(data)
        if len(data) < wanted:
            raise ConnectionError("the peer went away in the middle of a body")
        return data


class _Chunked:
    """A body in chunks (RFC 9112, 7.1)."""

    def __init__(self, stream: BinaryIO, agree: Any) -> None:
        self._stream, self._agree = stream, agree
        self._chunk, self.left = 0, 1  # `left` is 0 at the end

    def read(self, size: int = -1) -> bytes:
        self._agree()
        parts, wanted = [], sys.maxsize if size < 0 else size
        while wanted and self.left:
            if not self._chunk and not self._next():
                break
            data = self._stream.read(min(self._chunk, wanted, _BLOCK))
            if not data:
                raise ConnectionError("the peer went away in the middle of a body")
            self._chunk -= len(data)
            wanted -= len(data)
            parts.append(data)
            if not self._chunk and self._stream.readline(_LINE).strip():
                raise MalformedError("a chunk does not end where it says")
        return b"".join(parts)

    def _next(self) -> bool:
        line = self._stream.readline(_LINE).partition(b";")[0].strip()
        if not _SIZE.fullmatch(line):  # int() takes more: signs, underscores
            raise MalformedError(f"{line[:20]!r} is no size of a chunk")
        self._chunk = int(line, 16)
        if not self._chunk:
            self.left = 0
            while self._stream.readline(_LINE).strip():
                pass  # trailers
        return bool(self.left)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "sagedock", ""
    disable_nagle_algorithm = True
    timeout = _IDLE_SECONDS
    wbufsize = 1 << 16
    server: Listener
    _expects = False

    def __getattr__(self, name: str) -> Any:
        # The standard library calls do_<METHOD>: S3 and AWS have a few, and others get an answer.
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def parse_request(self) -> bool:
        if not super().parse_request():
            return False
        if self.request_version == "HTTP/0.9":
            self.send_error(400, "HTTP/0.9 is not spoken here")
            return False
        return True

    def handle_expect_100(self) -> bool:
        return True  # told when the body is read: a request refused before costs no upload

    def _agree(self) -> None:
        if self._expects:
            self._expects = False
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.wfile.flush()

    def _serve(self) -> None:
        self._expects = self.headers.get("Expect", "").lower() == "100-continue"
        try:
            request = self._request()
        except (MalformedError, ValueError) as error:
            self.close_connection = True
            self._send(Response(status=400, body=f"{error}\n".encode()))
            return
        try:
            response = self.server.service(request)
        except MalformedError as error:
            self.close_connection = True
            response = Response(status=400, body=f"{error}\n".encode())
        except ConnectionError:
            self.close_connection = True
            return
        self._finish_body(request)
        self._send(response)

    def _request(self) -> Request:
        self._check_head()
        headers = Headers(self.headers.items())
        path, _, query = self.path.partition("?")
        if path.startswith(("http://", "https://")):  # as to a proxy
            path = "/" + path.split("/", 3)[3] if path.count("/") > 2 else "/"
        body, size = self._body(headers)
        host = headers.get("Host", "")
        return Request(
            method=self.command,
            path=path,
            query=query,
            headers=headers,
            body=body,
            size=size,
            host=host.rpartition(":")[0] if _has_port(host) else host,
            scheme=self.server.scheme,
            peer=str(self.client_address[0]),
        )

    def _check_head(self) -> None:
        """Refuse what another reader could read differently, such as a space before a colon."""
        if any(isinstance(one, _NO_FIELDS) for one in self.headers.defects):
            raise MalformedError("a line of the head is no field")
        for name, value in self.headers.items():
            if not _NAME.fullmatch(name) or "\n" in value or "\r" in value or "\0" in value:
                raise MalformedError(f"{name[:40]!r} is no field")

    def _body(self, headers: Headers) -> tuple[_Sized | _Chunked, int | None]:
        coding = headers.get("Transfer-Encoding", "").lower()
        length = headers.get("Content-Length")
        stream = cast("BinaryIO", self.rfile)
        if coding:
            if coding != "chunked" or length is not None:
                raise MalformedError("Transfer-Encoding must be chunked, without Content-Length")
            return _Chunked(stream, self._agree), None
        if length is not None and not (length.isascii() and length.isdigit()):
            raise MalformedError(f"Content-Length {length[:40]!r} is no number")
        size = int(length or 0)
        return _Sized(stream, size, self._agree), size

    def _finish_body(self, request: Request) -> None:
        """What is left of the body, or the connection, has to go."""
        body = cast("_Sized | _Chunked", request.body)
        if self._expects or not body.left:
            self.close_connection = self.close_connection or self._expects
            return
        try:
            read = 0
            while body.left and read < _DRAINED:
                read += len(body.read(_BLOCK)) or 1
        except (ConnectionError, MalformedError, OSError):
            read = _DRAINED
        self.close_connection = self.close_connection or bool(body.left)

    # answers

    def _send(self, response: Response) -> None:
        status = response.status
        phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else ""
        self.send_response_only(status, phrase)
        self.send_header("Date", self.date_time_string())
        for name, value in response.headers.items():
            self.send_header(name, _safe(value))
        if self.close_connection:
            self.send_header("Connection", "close")
        try:
            self._send_body(response)
        finally:
            if isinstance(response.body, FilePart):
                response.body.stream.close()

    def _send_body(self, response: Response) -> None:
        body = response.body
        if response.bodyless or self.command == "HEAD":
            if "Content-Length" not in response.headers and isinstance(body, bytes):
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
        elif isinstance(body, bytes):
            if response.status not in {204, 304}:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        elif isinstance(body, FilePart):
            self.send_header("Content-Length", str(body.size))
            self.end_headers()
            self.wfile.flush()
            if body.size:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _IN_FLIGHT)
                self.connection.sendfile(body.stream, body.offset, body.size)
        else:
            self._send_chunks(body)
        self.wfile.flush()

    def _send_chunks(self, body: Iterable[bytes]) -> None:
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        try:
            for part in body:
                if part:
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
                    self.wfile.flush()
        except BaseException:
            self.close_connection = True  # the end is missing, so the peer knows
            raise
        self.wfile.write(b"0\r\n\r\n")

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the standard library refuses by itself: no page of HTML."""
        self.close_connection = True
        text = message or HTTPStatus(code).phrase
        self.command = getattr(self, "command", "") or "GET"
        self.request_version = self.protocol_version  # so that the answer has a head
        self._send(Response(status=code if code < 500 else 400, body=f"{text}\n".encode()))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """No line for each request."""


class Listener(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """Listens at `address` and has `service` answer. `serve_forever` in a thread of its own."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = _BACKLOG
    scheme = "http"

    def __init__(self, address: tuple[str, int], service: Service) -> None:
        self.service = service
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # without asking the resolver for our name
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A peer that went away is no fault of ours; anything else is one to be seen."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError | BrokenPipeError):
            traceback.print_exc()

    def start(self) -> threading.Thread:
        """Serve until `shutdown`, in a thread."""
        thread = threading.Thread(target=self.serve_forever, args=(0.1,), daemon=True)
        thread.start()
        return thread


class _OneRequest(_Handler):
    """One request on its connection: who asks may mean somebody else by the next one."""

    def parse_request(self) -> bool:
        parsed = super().parse_request()
        self.close_connection = True
        return parsed


@dataclass(frozen=True, kw_only=True)
class _Answering:
    """What a handler asks of its server."""

    service: Service
    scheme: str


def answer(
    connection: socket.socket, peer: Any, service: Service, *, scheme: str, once: bool = False
) -> None:
    """Have `service` answer what comes on a connection that is open already, until it ends; with
    `once` a single request."""
    kind = _OneRequest if once else _Handler
    kind(connection, peer, cast("Any", _Answering(service=service, scheme=scheme)))


def _has_port(host: str) -> bool:
    return host.rpartition(":")[2].isdigit() and not host.endswith("]")


def _safe(value: str) -> str:
    """No header can end where it should not."""
    return value.replace("\r", " ").replace("\n", " ")


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens at now."""
    with socket.socket() as found:
        found.bind((host, 0))
        port: int = found.getsockname()[1]
        return port
