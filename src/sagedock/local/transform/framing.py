"""Records in frames of their own: RecordIO and TFRecord (E7). Reads nothing but heads: what a
record holds stays where it lies. Must not know how records become payloads."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from sagedock.errors import InputError
from sagedock.local.transform.bodies import Part, Source, Span

_MAGIC = struct.pack("<I", 0xCED7230A)
_LENGTH_BITS = 29
_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)
_TF_CHECKSUM = 4
_WINDOW = 1 << 16
NO_LIMIT = 1 << 62


@dataclass(frozen=True, slots=True)
class Frame:
    """A record: where it lies with its frame, and the parts of what it holds."""

    offset: int
    length: int
    parts: tuple[Span, ...]

    @property
    def held(self) -> Part:
        """What the record holds. RecordIO cuts it where it held the magic number."""
        if len(self.parts) == 1:
            return self.parts[0]
        return _MAGIC.join(part.read() for part in self.parts)


class _Heads:
    """Reads the heads of frames a window at a time: small records cost no read each."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._start, self._window = 0, b""

    def read(self, offset: int, length: int) -> bytes:
        at = offset - self._start
        if at < 0 or at + length > len(self._window):
            self._start, at = offset, 0
            self._window = self._source.read(offset, max(length, _WINDOW))
        return self._window[at : at + length]


def recordio(source: Source, *, limit: int) -> Iterator[Frame]:
    """MXNet's RecordIO: magic number, 3 bits of part and 29 of length, content, padding to 4 bytes.

    A record in several parts, cut where its content holds the magic number, is put together.
    Raises InputError for what is no RecordIO, ends within a record, or is larger than `limit`.
    """
    heads = _Heads(source)
    place = start = 0
    parts: list[Span] = []
    while place < source.size:
        header = heads.read(place, 8)
        if len(header) < 8 or not header.startswith(_MAGIC):
            raise _broken(source, "RecordIO", place)
        (word,) = struct.unpack("<I", header[4:])
        part, length = word >> _LENGTH_BITS, word & ((1 << _LENGTH_BITS) - 1)
        if (part in {_MIDDLE, _LAST}) != bool(parts) or part > _LAST:
            raise _broken(source, "RecordIO", place)
        end = place + 8 + length + -length % 4
        _within(end - start, length, limit, source)
        if end > source.size:
            raise _broken(source, "RecordIO", place)
        parts.append(Span(source, place + 8, length))
        place = end
        if part in {_WHOLE, _LAST}:
            yield Frame(start, end - start, tuple(parts))
            start, parts = end, []
    if parts:
        raise _broken(source, "RecordIO", place)


def tfrecord(source: Source, *, limit: int) -> Iterator[Frame]:
    """TensorFlow's records: length of 8 bytes, its checksum, content, its checksum.

    Checksums go on unread: the model's own reader checks them. Raises InputError as `recordio`.
    """
    heads = _Heads(source)
    place, head = 0, 8 + _TF_CHECKSUM
    while place < source.size:
        header = heads.read(place, head)
        if len(header) < head:
            raise _broken(source, "TFRecord", place)
        (length,) = struct.unpack("<Q", header[:8])
        whole = head + length + _TF_CHECKSUM
        _within(whole, length, limit, source)
        if place + whole > source.size:
            raise _broken(source, "TFRecord", place)
        yield Frame(place, whole, (Span(source, place + head, length),))
        place += whole


def _within(size: int, length: int, limit: int, source: Source) -> None:
    """Also what keeps a file that is no such file from asking for terabytes."""
    if size > limit:
        raise InputError(
            f"{source.name}: a record of {length} bytes is larger than MaxPayloadInMB "
            f"({limit // (1 << 20)} MB).",
            hint="Raise MaxPayloadInMB (100 at most), or check that SplitType fits the file.",
        )


def _broken(source: Source, form: str, place: int) -> InputError:
    return InputError(
        f"{source.name}: no whole {form} record at byte {place}.",
        hint="The file ends too early, or SplitType does not fit it.",
    )
