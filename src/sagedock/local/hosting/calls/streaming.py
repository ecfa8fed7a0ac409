"""Answers as boto3 gives them: bodies to be read at once, or part by part as they come."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

from sagedock.errors import ModelStreamError
from sagedock.local.hosting.calls.connections import Answer, BrokenError, LateError, ReadAnswer

STREAM_SECONDS = 480.0
"""D3.8: what a streamed answer may take in all."""

_CHUNK = 1024


class StreamingBody(io.BytesIO):
    """An answer's body as a file, with the methods that botocore's has."""

    def iter_chunks(self, chunk_size: int = _CHUNK) -> Iterator[bytes]:
        """What was not read yet, in pieces of `chunk_size` bytes."""
        while chunk := self.read(chunk_size):
            yield chunk

    def iter_lines(self, chunk_size: int = _CHUNK, keepends: bool = False) -> Iterator[bytes]:
        """What was not read yet, line by line; `chunk_size` is botocore's and has no effect."""
        yield from self.read().splitlines(keepends)


class EventStream:
    """The Body of InvokeEndpointWithResponseStream: iterate once over events of the form
    {"PayloadPart": {"Bytes": …}}, which come as the container sends them.

    Raises ModelStreamError on the way where the container breaks off or takes too long. `ended`
    is called with the whole body when it has come, `released` when no more is to come.
    """

    def __init__(
        self,
        answer: Answer | ReadAnswer,
        shown: str,
        seconds: float,
        *,
        ended: Callable[[bytes], None] | None,
        released: Callable[[], None],
    ) -> None:
        self._answer, self._shown, self._seconds = answer, shown, seconds
        self._ended, self._released = ended, released
        self._events = self._run()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self._events

    def _run(self) -> Iterator[dict[str, Any]]:
        kept = bytearray()
        try:
            for part in self._answer.parts():
                if self._ended:
                    kept += part
                yield {"PayloadPart": {"Bytes": part}}
        except LateError:
            raise ModelStreamError(
                f"The stream of container {self._shown} took more than {self._seconds:g} s (D3.8).",
                error_code="ModelInvocationTimeExceeded",
            ) from None
        except BrokenError as error:
            raise ModelStreamError(
                f"The stream of container {self._shown} broke off: {error}.",
                error_code="StreamBroken",
                hint="The container's log says more: see endpoints/NAME/logs in the data folder.",
            ) from error
        finally:
            self.close()
        if self._ended:
            self._ended(bytes(kept))

    def close(self) -> None:
        """Let go of the connection; what has not come is lost."""
        self._answer.close()
        self._released()

    def __enter__(self) -> EventStream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
