"""SDK v2's serializers: Python values as the bodies of requests. Each has a CONTENT_TYPE and a
`serialize`; any object with these two will do for a Predictor, so the SDK's own do, too.

numpy, pandas and scipy are imported only when they are needed.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

from sagedock.errors import UsageError


class Serializer(Protocol):
    """What a Predictor needs of a serializer."""

    @property
    def CONTENT_TYPE(self) -> str:  # noqa: N802
        """The MIME type of what is sent."""

    def serialize(self, data: Any) -> Any:
        """`data` as text, bytes or a file."""


class SimpleBaseSerializer:
    """A serializer whose content type is given when it is made."""

    def __init__(self, content_type: str = "application/json") -> None:
        if not isinstance(content_type, str):
            raise UsageError(f"content_type is {content_type!r}: expected a MIME type as text.")
        self.content_type = content_type

    @property
    def CONTENT_TYPE(self) -> str:  # noqa: N802
        """The MIME type of what is sent."""
        return self.content_type

    def serialize(self, data: Any) -> Any:
        """`data` as text, bytes or a file. Raises UsageError for what it has no form for."""
        raise NotImplementedError

    def _unfit(self, data: Any) -> UsageError:
        return UsageError(
            f"{type(data).__name__} can't be sent as {self.content_type} by {type(self).__name__}."
        )


class CSVSerializer(SimpleBaseSerializer):
    """text/csv from rows (lists, an array, a DataFrame without its header), one row, text or a
    file."""

    def __init__(self, content_type: str = "text/csv") -> None:
        super().__init__(content_type)

    def serialize(self, data: Any) -> Any:
        """Lines without a line end at the last. Raises UsageError for no rows at all."""
        if hasattr(data, "read"):
            return data.read()
        if hasattr(data, "to_csv"):
            return data.to_csv(header=False, index=False)
        if not hasattr(data, "__len__"):
            raise self._unfit(data)
        several = hasattr(data, "__setitem__") and len(data) > 0 and _is_sequence(data[0])
        return "\n".join(self._row(row) for row in data) if several else self._row(data)

    def _row(self, data: Any) -> str:
        if isinstance(data, str):
            return data
        if hasattr(data, "flatten"):
            data = data.flatten().tolist()
        if not hasattr(data, "__len__"):
            raise self._unfit(data)
        if len(data) == 0:
            raise UsageError("An empty row can't be sent as CSV.")
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(data)
        return line.getvalue()


def _is_sequence(data: Any) -> bool:
    return hasattr(data, "__iter__") and hasattr(data, "__getitem__")


class NumpySerializer(SimpleBaseSerializer):
    """application/x-npy from arrays, lists and numbers; a file is taken to be one already."""

    def __init__(self, dtype: Any = None, content_type: str = "application/x-npy") -> None:
        super().__init__(content_type)
        self.dtype = dtype

    def serialize(self, data: Any) -> Any:
        """The bytes of a .npy file. Raises UsageError for an empty array."""
        if hasattr(data, "read"):
            return data.read()
        import numpy

        array = data if isinstance(data, numpy.ndarray) else numpy.array(data, self.dtype)
        if array.size == 0:
            raise UsageError("An empty array can't be sent.")
        buffer = io.BytesIO()
        numpy.save(buffer, array)
        return buffer.getvalue()


class JSONSerializer(SimpleBaseSerializer):
    """application/json; arrays become lists, also as values of a dict."""

    def serialize(self, data: Any) -> Any:
        """A JSON document. Raises UsageError for what JSON has no form for."""
        if hasattr(data, "read"):
            return data.read()
        try:
            return json.dumps(data, default=_listed)
        except (TypeError, ValueError) as error:
            raise UsageError(f"{type(data).__name__} can't be sent as JSON: {error}.") from error


def _listed(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not JSON serializable")


class JSONLinesSerializer(SimpleBaseSerializer):
    """application/jsonlines from any number of values, text or a file."""

    def __init__(self, content_type: str = "application/jsonlines") -> None:
        super().__init__(content_type)

    def serialize(self, data: Any) -> Any:
        """One document a line."""
        if isinstance(data, str):
            return data
        if hasattr(data, "read"):
            return data.read()
        if not isinstance(data, Iterable):
            raise self._unfit(data)
        one = JSONSerializer()
        return "\n".join(one.serialize(element) for element in data)


class SparseMatrixSerializer(SimpleBaseSerializer):
    """application/x-npz from a sparse matrix of scipy's."""

    def __init__(self, content_type: str = "application/x-npz") -> None:
        super().__init__(content_type)

    def serialize(self, data: Any) -> bytes:
        """The bytes of a .npz file."""
        import scipy.sparse

        buffer = io.BytesIO()
        scipy.sparse.save_npz(buffer, data)
        return buffer.getvalue()


class LibSVMSerializer(SimpleBaseSerializer):
    """text/libsvm from text or a file that is in that form already."""

    def __init__(self, content_type: str = "text/libsvm") -> None:
        super().__init__(content_type)

    def serialize(self, data: Any) -> Any:
        """The text. Raises UsageError for anything else."""
        if isinstance(data, str):
            return data
        if hasattr(data, "read"):
            return data.read()
        raise self._unfit(data)


class IdentitySerializer(SimpleBaseSerializer):
    """What is given, as it is."""

    def __init__(self, content_type: str = "application/octet-stream") -> None:
        super().__init__(content_type)

    def serialize(self, data: Any) -> Any:
        """The same."""
        return data


class StringSerializer(SimpleBaseSerializer):
    """text/plain from text."""

    def __init__(self, content_type: str = "text/plain") -> None:
        super().__init__(content_type)

    def serialize(self, data: Any) -> bytes:
        """The text in UTF-8. Raises UsageError for anything else."""
        if isinstance(data, str):
            return data.encode()
        raise self._unfit(data)


class DataSerializer(SimpleBaseSerializer):
    """Bytes, or those of the file that a text names, or either as "data" in a dict."""

    def __init__(self, content_type: str = "file-path/raw-bytes") -> None:
        super().__init__(content_type)

    def serialize(self, data: Any) -> bytes:
        """The bytes. Raises UsageError for a file that can't be read, and anything else."""
        if isinstance(data, bytes):
            return data
        if isinstance(data, dict) and "data" in data:
            return self.serialize(data["data"])
        if not isinstance(data, str):
            raise self._unfit(data)
        try:
            return Path(data).read_bytes()
        except OSError as error:
            raise UsageError(f"File {data!r} can't be read: {error.strerror}.") from error
