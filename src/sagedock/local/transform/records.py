"""Cuts an input object into payloads, and puts answers together again (E7 to E9). Pure but for
reading the stream it is given; memory is bounded by one payload and one block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from sagedock.errors import InputError
from sagedock.local.transform import framing

_FRAMED = {"RecordIO": framing.recordio, "TFRecord": framing.tfrecord}
_BLOCK = 1 << 20
_NO_LIMIT = 1 << 62


def payloads(
    stream: BinaryIO, *, split: str, strategy: str, limit: int, name: str
) -> Iterator[bytes]:
    """Bodies to send, in order. `limit` in bytes, 0 for none.

    Without a split the object is one body. With `Line`, a body is one line (SingleRecord) or as
    many whole lines as fit (MultiRecord), without the last line break. With `RecordIO` and
    `TFRecord` a body is what one record holds (SingleRecord), or as many whole records, frames and
    all, as fit (MultiRecord). Raises InputError for what is larger than `limit`.
    """
    limit = limit or _NO_LIMIT
    if split == "None":
        yield _whole(stream, limit, name)
    elif split in _FRAMED:
        frames = _FRAMED[split](stream, limit=limit, name=name)
        single = strategy == "SingleRecord"
        yield from (held for _, held in frames) if single else _packed(frames, limit)
    elif strategy == "SingleRecord":
        yield from _single(stream, limit, name)
    else:
        yield from _several(stream, limit, name)


def _whole(stream: BinaryIO, limit: int, name: str) -> bytes:
    body = stream.read(min(limit + 1, _NO_LIMIT))
    if len(body) > limit:
        raise _too_large(name, "the object", limit)
    return body


def _packed(frames: Iterator[framing.Frame], limit: int) -> Iterator[bytes]:
    """Whole frames, as many as fit; always at least one."""
    target = limit if limit != _NO_LIMIT else 6 * _BLOCK
    body: list[bytes] = []
    size = 0
    for frame, _ in frames:
        if body and size + len(frame) > target:
            yield b"".join(body)
            body, size = [], 0
        body.append(frame)
        size += len(frame)
    if body:
        yield b"".join(body)


def _single(stream: BinaryIO, limit: int, name: str) -> Iterator[bytes]:
    for line in stream:
        record = line.rstrip(b"\r\n")
        if len(record) > limit:
            raise _too_large(name, "a line", limit)
        if record:
            yield record


def _several(stream: BinaryIO, limit: int, name: str) -> Iterator[bytes]:
    """Whole lines up to the limit, cut at the last line break of what has been read."""
    target = min(limit, 6 * _BLOCK) if limit == _NO_LIMIT else limit
    rest = b""
    while block := stream.read(_BLOCK):
        rest += block
        while len(rest) > target:
            cut = rest.rfind(b"\n", 0, target + 1)
            if cut < 0:
                if len(rest) <= limit:
                    break
                raise _too_large(name, "a line", limit)
            if body := rest[:cut].strip(b"\r\n"):
                yield body
            rest = rest[cut + 1 :]
    if rest := rest.strip(b"\r\n"):
        yield rest


def _too_large(name: str, what: str, limit: int) -> InputError:
    return InputError(
        f"{name}: {what} is larger than MaxPayloadInMB ({limit // (1 << 20)} MB).",
        hint="Raise MaxPayloadInMB (100 at most), or split the input: SplitType Line.",
    )


def assembled(answer: bytes, assemble: str) -> bytes:
    """An answer as it goes into the output: with `Line`, ended by exactly one line break, so that
    no blank line comes between two answers (E8)."""
    return answer.rstrip(b"\r\n") + b"\n" if assemble == "Line" else answer
