"""What one request to a model carries: a piece of an input object, where it lies.

A piece is named by its place and read when it is sent, so that what waits to be sent costs no
memory. Must not know HTTP, nor how objects are cut.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import BinaryIO

from sagedock.errors import InputError


class Source:
    """An input object as a file that is open for reading; any thread may read any part of it."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self.name, self.stream = name, stream
        self.fileno = stream.fileno()
        self.size = os.fstat(self.fileno).st_size

    def read(self, offset: int, length: int) -> bytes:
        """So many bytes from `offset`, fewer only at the object's end."""
        parts: list[bytes] = []
        while length > 0 and (part := os.pread(self.fileno, length, offset)):
            parts.append(part)
            offset, length = offset + len(part), length - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)


@dataclass(frozen=True, slots=True)
class Span:
    """`length` bytes of `source` from `offset`."""

    source: Source
    offset: int
    length: int

    def read(self) -> bytes:
        """The bytes. Raises InputError where the object was cut meanwhile."""
        found = self.source.read(self.offset, self.length)
        if len(found) < self.length:
            raise InputError(
                f"{self.source.name} ended at byte {self.offset + len(found)} while it was read."
            )
        return found


Part = bytes | Span


@dataclass(frozen=True, slots=True)
class Stream:
    """A body without a limit (E5: MaxPayloadInMB 0), sent in chunks. `parts` begins anew for each
    try."""

    parts: Callable[[], Iterable[Part]]


Body = bytes | Span | Stream
