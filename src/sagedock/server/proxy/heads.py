"""The first lines that a client sends to a proxy: read to their very end, and understood.

Everything is held to a narrow form, and what is sent on is written anew from what was understood,
so that no other proxy can read it otherwise. Must not know AWS.
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

LIMIT = 1 << 16

_LINE = re.compile(r"([A-Za-z-]{1,32}) ([\x21-\x7e]{1,16384}) HTTP/1\.[01]")
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})")
_ADDRESS = re.compile(r"\[[0-9A-Fa-f:.]{2,45}\]")
_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\x00]*?)[ \t]*")
_HOP = frozenset(
    ("connection", "proxy-connection", "keep-alive", "proxy-authorization", "te", "upgrade", "host",
     "proxy-authenticate")
)  # fmt: skip
"""Fields between neighbours only (RFC 9110, 7.6.1), and Host, which is written anew."""


class BadHeadError(Exception):
    """What came is no request to a proxy."""


@dataclass(frozen=True, kw_only=True)
class Head:
    """The head of a request to a proxy. `path` is empty for CONNECT. `raw` is what came."""

    method: str
    host: str
    port: int
    path: str
    fields: tuple[tuple[str, str], ...]
    raw: bytes

    @property
    def is_connect(self) -> bool:
        """Whether a tunnel is wanted."""
        return self.method == "CONNECT"

    @property
    def netloc(self) -> str:
        """Host and port as they are written."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def field(self, name: str) -> str:
        """A field by its name in lower case; '' for none, joined by commas for many."""
        return ",".join(value for key, value in self.fields if key.lower() == name)

    def onward(self, *, to_proxy: bool, authorization: str | None = None) -> bytes:
        """The head as it goes on: the same request, the last one on its connection."""
        host = self.netloc.removesuffix(":80")
        target = f"http://{host}{self.path}" if to_proxy else self.path
        lines = [f"{self.method} {target} HTTP/1.1", f"Host: {host}"]
        named = {word.strip().lower() for word in self.field("connection").split(",")}
        lines += [f"{key}: {value}" for key, value in self.fields
                  if key.lower() not in _HOP | named]  # fmt: skip
        lines.append("Connection: close")
        if authorization:
            lines.append(f"Proxy-Authorization: {authorization}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


def receive(connection: socket.socket) -> bytes:
    """Bytes up to the end of a head and none after it: what follows may be TLS. Empty where the
    peer goes before it has sent any. Raises OSError, BadHeadError."""
    data = b""
    while len(data) < LIMIT:
        more = connection.recv(4096, socket.MSG_PEEK)
        if not more:
            if data:
                raise BadHeadError("the head has no end")
            return b""
        start = max(0, len(data) - 3)
        end = (data + more).find(b"\r\n\r\n", start)
        taken = len(more) if end < 0 else end + 4 - len(data)
        data += connection.recv(taken)
        if end >= 0:
            return data
    raise BadHeadError("the head is too long")


def parse(raw: bytes) -> Head:
    """Understand a head. Raises BadHeadError."""
    first, *lines = raw.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    line = _LINE.fullmatch(first)
    if not line:
        raise BadHeadError("the first line is no request")
    method, target = line.groups()
    if method == "CONNECT":
        host, port = _authority(target, None)
        path = ""
    else:
        host, port, path = _absolute(target)
    return Head(method=method, host=host, port=port, path=path, fields=_fields(lines), raw=raw)


def _fields(lines: list[str]) -> tuple[tuple[str, str], ...]:
    found = []
    for line in lines:
        match = _FIELD.fullmatch(line)
        if not match:
            raise BadHeadError("a field is malformed")
        found.append((match[1], match[2]))
    return tuple(found)


def _absolute(target: str) -> tuple[str, int, str]:
    if not target.lower().startswith("http://"):
        raise BadHeadError("a proxy is asked for http://…, or by CONNECT")
    try:
        parts = urlsplit(target)
    except ValueError:
        raise BadHeadError("the address is malformed") from None
    host, port = _authority(parts.netloc, 80)
    path = target[len("http://") + len(parts.netloc) :].partition("#")[0]
    return host, port, path if path.startswith("/") else f"/{path}"


def _authority(text: str, default: int | None) -> tuple[str, int]:
    """Host, without the brackets of an address, and port."""
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, "" if default is None else str(default)
    if not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536):
        raise BadHeadError("the port is none")
    if not (_HOST.fullmatch(host) or _ADDRESS.fullmatch(host)):
        raise BadHeadError("the host is none")
    return host.strip("[]"), int(port)
