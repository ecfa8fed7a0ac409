"""A small real HTTP server that stands for a model's container: what it was asked, and answers."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Request:
    """`chunks` are the sizes of a chunked body's chunks, empty for one of a known length."""

    headers: dict[str, str]
    body: bytes
    chunks: list[int]


Answering = Callable[[Request], tuple[int, bytes]]


@dataclass
class FakeModel:
    """`answer` makes a status and a body of each request; all requests are kept in order."""

    answer: Answering
    address: tuple[str, int] = ("", 0)
    requests: list[Request] = field(default_factory=list)
    connections: int = 0


@contextmanager
def serving(answer: Answering) -> Iterator[FakeModel]:
    """The server, as long as the block runs."""
    model = FakeModel(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            model.connections += 1

        def do_POST(self) -> None:
            body, chunks = _body(self)
            request = Request({k.lower(): v for k, v in self.headers.items()}, body, chunks)
            model.requests.append(request)
            status, text = model.answer(request)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *arguments: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    model.address = ("127.0.0.1", server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield model
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _body(handler: BaseHTTPRequestHandler) -> tuple[bytes, list[int]]:
    if handler.headers.get("Transfer-Encoding") != "chunked":
        return handler.rfile.read(int(handler.headers["Content-Length"])), []
    parts = []
    while size := int(handler.rfile.readline(), 16):
        parts.append(handler.rfile.read(size))
        handler.rfile.readline()
    handler.rfile.readline()
    return b"".join(parts), [len(part) for part in parts]
