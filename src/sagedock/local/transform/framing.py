"""Records in frames of their own: RecordIO and TFRecord (E7). Pure but for reading the stream it
is given; memory is bounded by one record. Must not know how records become payloads."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

from sagedock.errors import InputError

_MAGIC = struct.pack("<I", 0xCED7230A)
_LENGTH_BITS = 29
_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)
_TF_CHECKSUM = 4

Frame = tuple[bytes, bytes]
"""A record as it lies in the file, and what it holds."""


def recordio(stream: BinaryIO, *, limit: int, name: str) -> Iterator[Frame]:
    """MXNet's RecordIO: magic number, 3 bits of part and 29 of length, content, padding to 4 bytes.

    A record in several parts, cut where its content holds the magic number, is put together.
    Raises InputError for what is no RecordIO, ends within a record, or is larger than `limit`.
    """
    frame, place = b"", 0
    parts: list[bytes] = []
    while header := stream.read(8):
        if len(header) < 8 or not header.startswith(_MAGIC):
            raise _broken(name, "RecordIO", place)
        (word,) = struct.unpack("<I", header[4:])
        part, length = word >> _LENGTH_BITS, word & ((1 << _LENGTH_BITS) - 1)
        if (part in {_MIDDLE, _LAST}) != bool(parts) or part > _LAST:
            raise _broken(name, "RecordIO", place)
        _within(len(frame) + length, limit, name)
        padded = length + -length % 4
        content = stream.read(padded)
        if len(content) < padded:
            raise _broken(name, "RecordIO", place)
        frame += header + content
        parts.append(content[:length])
        place += 8 + padded
        if part in {_WHOLE, _LAST}:
            yield frame, _MAGIC.join(parts)
            frame, parts = b"", []
    if parts:
        raise _broken(name, "RecordIO", place)


def tfrecord(stream: BinaryIO, *, limit: int, name: str) -> Iterator[Frame]:
    """TensorFlow's records: length of 8 bytes, its checksum, content, its checksum.

    Checksums go on unread: the model's own reader checks them. Raises InputError as `recordio`.
    """
    place = 0
    while header := stream.read(8 + _TF_CHECKSUM):
        if len(header) < 8 + _TF_CHECKSUM:
            raise _broken(name, "TFRecord", place)
        (length,) = struct.unpack("<Q", header[:8])
        _within(length, limit, name)
        rest = stream.read(length + _TF_CHECKSUM)
        if len(rest) < length + _TF_CHECKSUM:
            raise _broken(name, "TFRecord", place)
        yield header + rest, rest[:length]
        place += len(header) + len(rest)


def _within(length: int, limit: int, name: str) -> None:
    """Also what keeps a file that is no such file from asking for terabytes."""
    if length > limit:
        raise InputError(
            f"{name}: a record of {length} bytes is larger than MaxPayloadInMB "
            f"({limit // (1 << 20)} MB).",
            hint="Raise MaxPayloadInMB (100 at most), or check that SplitType fits the file.",
        )


def _broken(name: str, form: str, place: int) -> InputError:
    return InputError(
        f"{name}: no whole {form} record at byte {place}.",
        hint="The file ends too early, or SplitType does not fit it.",
    )
