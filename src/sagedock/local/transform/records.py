"""Cuts an input object into payloads, and puts answers together again (E7 to E9).

A payload is a place in the object. To find where one ends, the few bytes around its limit are
looked at and no others, so lines cost nothing and memory is the same whatever the object's size.
"""

from __future__ import annotations

from collections.abc import Iterator

from sagedock.errors import InputError
from sagedock.local.transform import framing
from sagedock.local.transform.bodies import Part, Source, Span
from sagedock.local.transform.framing import NO_LIMIT

_FRAMED = {"RecordIO": framing.recordio, "TFRecord": framing.tfrecord}
_BLOCK = 1 << 20
_LOOK = 1 << 14


def payloads(source: Source, *, split: str, strategy: str, limit: int) -> Iterator[Part]:
    """Bodies to send, in order. `limit` in bytes, 0 for none.

    Without a split the object is one body. With `Line`, a body is one line (SingleRecord) or as
    many whole lines as fit (MultiRecord), without the last line break. With `RecordIO` and
    `TFRecord` a body is what one record holds (SingleRecord), or as many whole records, frames and
    all, as fit (MultiRecord). Raises InputError for what is larger than `limit`.
    """
    single = strategy == "SingleRecord"
    limit = limit or NO_LIMIT
    if split == "None":
        yield _whole(source, limit)
    elif split in _FRAMED:
        frames = _FRAMED[split](source, limit=limit)
        yield from (frame.held for frame in frames) if single else _packed(source, frames, limit)
    else:
        yield from (_single if single else _several)(source, limit)


def _whole(source: Source, limit: int) -> Span:
    if source.size > limit:
        raise _too_large(source, "the object", limit)
    return Span(source, 0, source.size)


def _packed(source: Source, frames: Iterator[framing.Frame], limit: int) -> Iterator[Span]:
    """Whole frames, as many as fit; always at least one."""
    start = size = 0
    for frame in frames:
        if size and size + frame.length > limit:
            yield Span(source, start, size)
            start, size = frame.offset, 0
        size += frame.length
    if size:
        yield Span(source, start, size)


def _single(source: Source, limit: int) -> Iterator[Span]:
    """A line a body; blank ones are none. A line that is too long is not read to its end."""
    start = place = 0
    returns = False
    while block := source.read(place, _BLOCK):
        at, returns = 0, returns or b"\r" in block
        while (end := block.find(b"\n", at)) >= 0:
            yield from _line(source, start, place + end, limit, returns)
            start, at = place + end + 1, end + 1
        place += len(block)
        if place - start > limit + 1:  # a carriage return may be its last
            raise _too_large(source, "a line", limit)
    yield from _line(source, start, place, limit, returns)


def _line(source: Source, start: int, end: int, limit: int, returns: bool) -> Iterator[Span]:
    if returns:
        end = _before_breaks(source, start, end)
    if end - start > limit:
        raise _too_large(source, "a line", limit)
    if end > start:
        yield Span(source, start, end - start)


def _several(source: Source, limit: int) -> Iterator[Span]:
    """Whole lines up to the limit, cut at the last line break before it."""
    start = _after_breaks(source, 0)
    while start < source.size:
        end = source.size
        if end - start > limit:
            end = _last_break(source, start, start + limit + 1)
            if end < 0 and _before_breaks(source, start, source.size) - start > limit:
                raise _too_large(source, "a line", limit)
            end = source.size if end < 0 else end
        stop = _before_breaks(source, start, end)
        yield Span(source, start, stop - start)
        start = _after_breaks(source, end)


def _last_break(source: Source, start: int, end: int) -> int:
    """Place of the last line break in that range, -1 for none. Looks from behind, in steps."""
    step = _LOOK
    while end > start:
        begin = max(start, end - step)
        found = source.read(begin, end - begin).rfind(b"\n")
        if found >= 0:
            return begin + found
        end, step = begin, min(step * 4, _BLOCK)
    return -1


def _before_breaks(source: Source, start: int, end: int) -> int:
    """`end` without the line breaks before it."""
    while end > start:
        begin = max(start, end - _LOOK)
        kept = source.read(begin, end - begin).rstrip(b"\r\n")
        if kept:
            return begin + len(kept)
        end = begin
    return start


def _after_breaks(source: Source, start: int) -> int:
    """`start` without the line breaks after it."""
    while block := source.read(start, _LOOK):
        kept = block.lstrip(b"\r\n")
        if kept:
            return start + len(block) - len(kept)
        start += len(block)
    return start


def _too_large(source: Source, what: str, limit: int) -> InputError:
    return InputError(
        f"{source.name}: {what} is larger than MaxPayloadInMB ({limit // (1 << 20)} MB).",
        hint="Raise MaxPayloadInMB (100 at most), or split the input: SplitType Line.",
    )


def assembled(answer: bytes, assemble: str) -> bytes:
    """An answer as it goes into the output: with `Line`, ended by exactly one line break, so that
    no blank line comes between two answers (E8)."""
    return answer.rstrip(b"\r\n") + b"\n" if assemble == "Line" else answer
