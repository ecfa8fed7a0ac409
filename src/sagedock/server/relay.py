"""Bytes from one socket to another, both ways, until both sides are done. Must not know HTTP."""

from __future__ import annotations

import contextlib
import selectors
import socket

IDLE_SECONDS = 60.0
_BLOCK = 1 << 17


class IdleError(Exception):
    """Nothing has come from either side for too long."""


def relay(left: socket.socket, right: socket.socket, idle: float = IDLE_SECONDS) -> None:
    """Copy both ways. A side that has sent its last is told to the other one, which may still
    send. Raises IdleError, OSError; closing is the caller's."""
    other = {left: right, right: left}
    buffer = memoryview(bytearray(_BLOCK))
    with selectors.DefaultSelector() as selector:
        for side in (left, right):
            side.settimeout(idle)  # for a peer that takes nothing
            selector.register(side, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(idle)
            if not ready:
                raise IdleError
            for key, _ in ready:
                source = key.fileobj
                assert isinstance(source, socket.socket)
                if not _copy(source, other[source], buffer):
                    selector.unregister(source)


def _copy(source: socket.socket, target: socket.socket, buffer: memoryview) -> bool:
    size = source.recv_into(buffer)
    if size:
        target.sendall(buffer[:size])
        return True
    with contextlib.suppress(OSError):  # the target may be gone already
        target.shutdown(socket.SHUT_WR)
    return False
