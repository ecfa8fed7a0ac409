"""The name that a TLS client asks for in its first message, read without taking it away.

A client that resolves names by itself asks a proxy for an address; only its first message (the
server name indication of RFC 6066) still says whom it means.
"""

from __future__ import annotations

import selectors
import socket
import struct
import time

from sagedock.server.proxy.relay import IdleError

_RECORD, _CLIENT_HELLO, _SERVER_NAME = 0x16, 0x01, 0x0000
_LIMIT = 1 << 16
_PAUSE = 0.005


class IncompleteError(Exception):
    """The message goes on."""


def peeked_name(client: socket.socket, server: socket.socket, seconds: float) -> str | None:
    """The name that `client` sends first, None where it sends no TLS, or the server speaks first.

    The wait for the first byte is as long as the client's own timeout; the message has to be
    complete within `seconds` after it. Raises IdleError, OSError.
    """
    with selectors.PollSelector() as selector:
        for side in (client, server):
            selector.register(side, selectors.EVENT_READ)
        ready = [key.fileobj for key, _ in selector.select(client.gettimeout())]
    if not ready:
        raise IdleError
    if client not in ready:
        return None
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        data = client.recv(_LIMIT, socket.MSG_PEEK)
        try:
            return server_name(data)
        except IncompleteError:
            time.sleep(_PAUSE)
    raise IdleError


def server_name(data: bytes) -> str | None:
    """The name in a ClientHello, None where there is none in it, or it is no ClientHello. Raises
    IncompleteError.

    >>> server_name(b"GET / HTTP/1.1") is None
    True
    """
    if data[:1] != bytes([_RECORD]):
        return None
    try:
        return _name_in(_message(data))
    except (struct.error, IndexError, ValueError):
        return None  # no ClientHello at all: its receiver will say so


def _message(data: bytes) -> bytes:
    """The handshake message, which may lie in more records than one, without its head."""
    found = b""
    while True:
        if len(data) < 5:
            raise IncompleteError
        kind, size = data[0], int.from_bytes(data[3:5])
        if kind != _RECORD:
            raise ValueError("another kind of record")
        found += data[5 : 5 + size]
        if found and found[0] != _CLIENT_HELLO:
            raise ValueError("another message")
        length = int.from_bytes(found[1:4]) if len(found) >= 4 else _LIMIT
        if len(found) >= 4 + length or length >= _LIMIT < len(found):
            return found[4 : 4 + length]
        if len(data) < 5 + size:
            raise IncompleteError
        data = data[5 + size :]


def _name_in(message: bytes) -> str | None:
    rest = message[2 + 32 :]  # version, random
    for width in (1, 2, 1):  # session, cipher suites, compression
        _, rest = _cut(rest, width)
    extensions, _ = _cut(rest, 2)
    while extensions:
        (kind,) = struct.unpack_from("!H", extensions)
        body, extensions = _cut(extensions[2:], 2)
        if kind == _SERVER_NAME:
            names, _ = _cut(body, 2)
            name, _ = _cut(names[1:], 2)
            return name.decode("ascii")
    return None


def _cut(data: bytes, width: int) -> tuple[bytes, bytes]:
    """A part that begins with its length in `width` bytes, and what follows it."""
    size = int.from_bytes(data[:width])
    end = width + size
    if len(data) < end or len(data) < width:
        raise ValueError("the message is cut short")
    return data[width:end], data[end:]
