"""SDK v2's deserializers: the bodies of answers as Python values. Each has an ACCEPT and a
`deserialize`; any object with these two will do for a Predictor, so the SDK's own do, too.

numpy and pandas are imported only when they are needed.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import IO, Any, Protocol

from sagedock.errors import ModelError

_SHOWN = 200


class Deserializer(Protocol):
    """What a Predictor needs of a deserializer."""

    @property
    def ACCEPT(self) -> Sequence[str]:  # noqa: N802
        """The MIME types that are wanted."""

    def deserialize(self, stream: IO[bytes], content_type: str) -> Any:
        """The value in `stream`."""


class SimpleBaseDeserializer:
    """A deserializer whose types are given when it is made."""

    def __init__(self, accept: str | tuple[str, ...] = "*/*") -> None:
        self.accept = accept

    @property
    def ACCEPT(self) -> tuple[str, ...]:  # noqa: N802
        """The MIME types that are wanted."""
        return (self.accept,) if isinstance(self.accept, str) else self.accept

    def deserialize(self, stream: IO[bytes], content_type: str) -> Any:
        """The value in `stream`, which is read to its end and closed. Raises ModelError where it
        is not what its content type says."""
        with stream:
            body = stream.read()
        try:
            return self._value(body, content_type.partition(";")[0].strip().lower())
        except ValueError as error:
            shown = body[:_SHOWN].decode("utf-8", "replace")
            raise ModelError(
                f"The model's answer is called {content_type} but {type(self).__name__} can't "
                f"read it: {error}; it begins {shown!r}.",
                body=body,
                hint="Let the handler say what it answers, or choose another deserializer.",
            ) from error

    def _value(self, body: bytes, media_type: str) -> Any:
        """Raises ValueError."""
        raise NotImplementedError

    def _unread(self, media_type: str) -> ValueError:
        return ValueError(f"it reads {', '.join(self.ACCEPT)}, not {media_type}")


class BytesDeserializer(SimpleBaseDeserializer):
    """Bytes."""

    def _value(self, body: bytes, media_type: str) -> bytes:
        return body


class StringDeserializer(SimpleBaseDeserializer):
    """Text."""

    def __init__(
        self, encoding: str = "UTF-8", accept: str | tuple[str, ...] = "application/json"
    ) -> None:
        super().__init__(accept)
        self.encoding = encoding

    def _value(self, body: bytes, media_type: str) -> str:
        return body.decode(self.encoding)


class CSVDeserializer(SimpleBaseDeserializer):
    """Rows of text."""

    def __init__(self, encoding: str = "utf-8", accept: str | tuple[str, ...] = "text/csv") -> None:
        super().__init__(accept)
        self.encoding = encoding

    def _value(self, body: bytes, media_type: str) -> list[list[str]]:
        return list(csv.reader(io.StringIO(body.decode(self.encoding), newline="")))


class StreamDeserializer(SimpleBaseDeserializer):
    """The body as a file, to be closed by who reads it, and its content type."""

    def deserialize(self, stream: IO[bytes], content_type: str) -> tuple[IO[bytes], str]:
        """Both, as they are."""
        return stream, content_type


class NumpyDeserializer(SimpleBaseDeserializer):
    """An array, from .npy, CSV or JSON. It unpickles nothing unless it is told to
    (`allow_pickle`): a pickle runs code."""

    def __init__(
        self,
        dtype: Any = None,
        accept: str | tuple[str, ...] = "application/x-npy",
        allow_pickle: bool = False,
    ) -> None:
        super().__init__(accept)
        self.dtype, self.allow_pickle = dtype, allow_pickle

    def _value(self, body: bytes, media_type: str) -> Any:
        import numpy

        if media_type == "text/csv":
            text = io.StringIO(body.decode())
            return numpy.genfromtxt(text, delimiter=",", dtype=self.dtype)
        if media_type == "application/json":
            return numpy.array(json.loads(body), dtype=self.dtype)
        if media_type == "application/x-npy":
            return numpy.load(io.BytesIO(body), allow_pickle=self.allow_pickle)
        raise self._unread(media_type)


class JSONDeserializer(SimpleBaseDeserializer):
    """A JSON document."""

    def __init__(self, accept: str | tuple[str, ...] = "application/json") -> None:
        super().__init__(accept)

    def _value(self, body: bytes, media_type: str) -> Any:
        return json.loads(body)


class JSONLinesDeserializer(SimpleBaseDeserializer):
    """A list of JSON documents, one a line."""

    def __init__(self, accept: str | tuple[str, ...] = "application/jsonlines") -> None:
        super().__init__(accept)

    def _value(self, body: bytes, media_type: str) -> list[Any]:
        return [json.loads(line) for line in body.decode().split("\n") if line.strip()]


class PandasDeserializer(SimpleBaseDeserializer):
    """A DataFrame, from CSV with a header or from JSON in pandas' orientation `columns`."""

    def __init__(self, accept: str | tuple[str, ...] = ("text/csv", "application/json")) -> None:
        super().__init__(accept)

    def _value(self, body: bytes, media_type: str) -> Any:
        import pandas

        if media_type == "text/csv":
            return pandas.read_csv(io.BytesIO(body))
        if media_type == "application/json":
            return pandas.read_json(io.BytesIO(body))
        raise self._unread(media_type)
