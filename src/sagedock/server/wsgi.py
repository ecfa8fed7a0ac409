"""WSGI applications as services: moto's, or anybody's. Must not know AWS."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import unquote_to_bytes

from sagedock.server.messages import Request, Response, Service

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_WELL_KNOWN = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}
_HOP = frozenset({"connection", "transfer-encoding", "content-length", "date", "server"})


def mounted(application: Application) -> Service:
    """A Service that has `application` (PEP 3333) answer. Its body is read whole where the request
    is chunked, since WSGI knows no chunks; up to BODY_LIMIT."""

    def answer(request: Request) -> Response:
        told: list[tuple[int, list[tuple[str, str]]]] = []

        def start(status: str, headers: list[tuple[str, str]], fault: Any = None) -> Any:
            told.append((int(status.split(" ", 1)[0]), headers))
            return None

        parts = application(_environ(request), start)
        body = b"".join(_parts(parts))
        status, headers = told[-1]
        kept = {name: value for name, value in headers if name.lower() not in _HOP}
        return Response(status=status, headers=kept, body=body)

    return answer


def _parts(parts: Iterable[bytes]) -> Iterator[bytes]:
    try:
        yield from parts
    finally:
        close = getattr(parts, "close", None)
        if close:
            close()


def _environ(request: Request) -> dict[str, Any]:
    stream: Any = request.body
    size = request.size
    if size is None:
        data = request.whole_body()
        stream, size = io.BytesIO(data), len(data)
    fields = {
        _WELL_KNOWN.get(name, "HTTP_" + name.upper().replace("-", "_")): value
        for name, value in request.headers.items()
    }
    return {
        **fields,
        "CONTENT_LENGTH": str(size),
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(request.path).decode("latin-1"),
        "RAW_URI": f"{request.path}?{request.query}" if request.query else request.path,
        "QUERY_STRING": request.query,
        "SERVER_NAME": request.host or "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": request.peer,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": request.scheme,
        "wsgi.input": _Input(stream),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }


class _Input(io.RawIOBase):
    """A request's body as the file that WSGI wants."""

    def __init__(self, body: Any) -> None:
        self._body = body

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._body.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def moto() -> Service:
    """The long tail: every service that moto has (extra `moto`). Raises ImportError without it."""
    from moto.server import DomainDispatcherApplication, create_backend_app

    return mounted(DomainDispatcherApplication(create_backend_app))
