"""Objects that go as one body without a limit (E5: MaxPayloadInMB 0), however large they are.

The body is sent in chunks as it is read, and its answer lies in a file: filters and joins take
both a piece at a time. Must not know who sends.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import IO

from sagedock.local.transform import records
from sagedock.local.transform.bodies import Part, Source, Span, Stream
from sagedock.local.transform.processing import Processing, mismatch
from sagedock.local.transform.progress import Progress

_BLOCK = 1 << 20
_PIECE = 6 << 20
_LINES = 1 << 15


class Whole:
    """Makes bodies of whole objects, and outputs of their answers."""

    def __init__(self, processing: Processing, progress: Progress) -> None:
        self._processing, self._progress = processing, progress

    def stream(self, span: Span) -> Stream:
        """The body; it is read and filtered anew for each try."""
        return Stream(lambda: self._parts(span))

    def _parts(self, span: Span) -> Iterator[Part]:
        first = True
        for piece in self._cut(span):
            if self._processing.filters_input:
                sent, _ = self._processing.before(piece.read())
                yield sent if first else b"\n" + sent
            else:
                yield piece
            first = False
            self._progress.sent(piece.length)

    def _cut(self, span: Span) -> Iterator[Span]:
        """Pieces: any where nothing is filtered, else such as hold whole records."""
        if not self._processing.filters_input:
            end = span.offset + span.length
            for at in range(span.offset, end, _BLOCK):
                yield Span(span.source, at, min(_BLOCK, end - at))
        elif self._processing.by_line:
            yield from _pieces(span.source)
        else:
            yield span

    def output(self, source: Source, answer: IO[bytes]) -> Iterator[bytes]:
        """The answer as it goes into the output, in pieces. Raises InputError where a join finds
        more or fewer answers than records (E9)."""
        processing = self._processing
        if not processing.filters_output:
            yield from iter(lambda: answer.read(_BLOCK), b"")
        elif not processing.by_line:
            raw = source.read(0, source.size) if processing.joins else None
            yield processing.after(raw, answer.read())
        elif processing.joins:
            yield from self._joined(source, answer)
        else:
            lines = iter(answer)
            while found := list(itertools.islice(lines, _LINES)):
                yield processing.after(None, b"".join(found)) + b"\n"

    def _joined(self, source: Source, answer: IO[bytes]) -> Iterator[bytes]:
        rows = answers = 0
        lines = (line for line in answer if line.strip())
        for piece in _pieces(source):
            sent = self._processing.cut(piece.read())
            found = list(itertools.islice(lines, len(sent.items)))
            rows, answers = rows + len(sent.items), answers + len(found)
            if len(found) == len(sent.items):
                yield self._processing.after(sent, b"".join(found)) + b"\n"
        answers += sum(1 for _ in lines)
        if rows != answers:
            raise mismatch(rows, answers)


def _pieces(source: Source) -> Iterator[Span]:
    """Whole lines, some MB at a time."""
    for part in records.payloads(source, split="Line", strategy="MultiRecord", limit=_PIECE):
        assert isinstance(part, Span)  # lines are always read where they lie
        yield part
