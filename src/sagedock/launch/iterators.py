"""SDK v2's iterators: what `Predictor.predict_stream` makes of a streamed answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Events = Iterable[Mapping[str, Any]]
"""As InvokeEndpointWithResponseStream's Body gives them."""


class ByteIterator:
    """The parts of a streamed answer, as they come."""

    def __init__(self, event_stream: Events) -> None:
        self.event_stream = event_stream
        self._parts = (event["PayloadPart"]["Bytes"] for event in event_stream)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        part: bytes = next(self._parts)
        return part


class LineIterator:
    """The lines of a streamed answer, without their line ends, each as soon as it is whole."""

    def __init__(self, event_stream: Events) -> None:
        self._lines = self._cut(ByteIterator(event_stream))

    def _cut(self, parts: Iterable[bytes]) -> Iterator[bytes]:
        rest = b""
        for part in parts:
            *lines, rest = (rest + part).split(b"\n")
            yield from lines
        if rest:
            yield rest

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._lines)
