"""One HTTP request and its response, as values: what services get and give. Must not know sockets.

A body is read as it comes and written as it is made, so that memory does not grow with its size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import parse_qsl, unquote_to_bytes

BODY_LIMIT = 32 << 20
"""Bytes that `Request.whole_body` takes at most: no JSON request is near it, and an invocation has
6 MB, so that nobody fills this process' memory."""


class Headers(Mapping[str, str]):
    """Header fields by name, whatever its case. A field that comes twice is joined by commas."""

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._fields: dict[str, str] = {}
        for name, value in fields:
            key = name.lower()
            known = self._fields.get(key)
            self._fields[key] = value if known is None else f"{known},{value}"

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


class Body(Protocol):
    """Bytes of a request as they come in; `read` gives fewer than asked only at the end."""

    def read(self, size: int = -1, /) -> bytes: ...


class TooLargeError(Exception):
    """A body that is to be held in memory has more than BODY_LIMIT bytes."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request. `path` and `query` are as they came, still percent-encoded; `host` is the Host
    field without a port; `size` is the body's, None where it is chunked."""

    method: str
    path: str
    query: str
    headers: Headers
    body: Body
    size: int | None
    host: str
    scheme: str = "http"
    peer: str = "127.0.0.1"

    @property
    def key_path(self) -> str:
        """The path decoded; bytes that are no UTF-8 raise UnicodeDecodeError."""
        return unquote_to_bytes(self.path).decode()

    @property
    def parameters(self) -> Sequence[tuple[str, str]]:
        """The query's names and values, in their order, decoded; a name alone has value ''."""
        return parse_qsl(self.query, keep_blank_values=True, max_num_fields=1000)

    def whole_body(self) -> bytes:
        """All of the body. Raises TooLargeError."""
        if self.size is not None and self.size > BODY_LIMIT:
            raise TooLargeError
        data = self.body.read(BODY_LIMIT + 1)
        if len(data) > BODY_LIMIT:
            raise TooLargeError
        return data


@dataclass(frozen=True, kw_only=True)
class FilePart:
    """`size` bytes of an open file from `offset` on; sent without a copy, and closed."""

    stream: BinaryIO
    offset: int
    size: int


@dataclass(frozen=True, kw_only=True)
class Response:
    """A response. An iterable body is sent chunked, as its parts come; a FilePart from the disk.
    With `bodyless` (HEAD) only the fields go out, Content-Length among them if it is given."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | FilePart | Iterable[bytes] = b""
    bodyless: bool = False


class Service(Protocol):
    """What answers requests. Errors are answers, too: nothing is raised but what is a fault of
    ours."""

    def __call__(self, request: Request, /) -> Response: ...


def file_part(path: Path, offset: int, size: int) -> FilePart:
    """A part of the file at `path`. Raises OSError."""
    return FilePart(stream=path.open("rb"), offset=offset, size=size)
