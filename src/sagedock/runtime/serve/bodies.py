"""A request's body to a table of float32, by its content type. CSV has a module of its own.

Must not know HTTP servers or models, only how many columns the model takes.
"""

from __future__ import annotations

import io
from typing import Any

from sagedock.runtime.serve import libsvm_rows, parquet_rows, recordio
from sagedock.runtime.serve.csv_rows import Decoder, decoded, to_float32
from sagedock.runtime.serve.problems import Refusal, bad_value

CSV = "text/csv"
JSON = "application/json"
JSONLINES = "application/jsonlines"
NPY = "application/x-npy"
LIBSVM = "text/libsvm"
RECORDIO = "application/x-recordio-protobuf"
PARQUET = "application/x-parquet"

_NAMES = {
    "": CSV, "csv": CSV, CSV: CSV, "application/csv": CSV, "text/plain": CSV,
    "json": JSON, JSON: JSON,
    JSONLINES: JSONLINES, "application/jsonl": JSONLINES, "application/x-jsonlines": JSONLINES,
    "application/x-ndjson": JSONLINES,
    "npy": NPY, NPY: NPY,
    "libsvm": LIBSVM, LIBSVM: LIBSVM, "text/x-libsvm": LIBSVM,
    "recordio-protobuf": RECORDIO, RECORDIO: RECORDIO,
    "parquet": PARQUET, PARQUET: PARQUET, "application/vnd.apache.parquet": PARQUET,
    "application/octet-stream": CSV,
}  # fmt: skip
SUPPORTED = (CSV, LIBSVM, JSON, JSONLINES, NPY, RECORDIO)


def kind_of(content_type: str) -> str:
    """The body's kind. Raises Refusal 415 for one that isn't served. None at all means CSV."""
    name = content_type.partition(";")[0].strip().lower()
    kind = _NAMES.get(name)
    if kind == PARQUET and not parquet_rows.available():
        raise Refusal(415, parquet_rows.HOW, supported=list(SUPPORTED))
    if kind is None:
        raise Refusal(
            415,
            f"Content-Type {name} is not supported; supported are {', '.join(SUPPORTED)}.",
            supported=list(SUPPORTED),
        )
    return kind


class Bodies:
    """Decodes bodies for a model of `columns` features (None when it takes any number)."""

    def __init__(self, columns: int | None) -> None:
        self.columns = columns
        self._csv = Decoder(columns)
        self._readers = {
            JSON: self._json, JSONLINES: self._jsonlines, NPY: self._npy,
        }  # fmt: skip

    def table(self, body: bytes, kind: str) -> Any:
        """float32 (rows, columns); CSR for wide libsvm. Raises Refusal 400."""
        if not body:
            raise Refusal(400, "The request has no body.")
        if kind == CSV:
            return self._csv.table(body)
        if kind == LIBSVM:
            return libsvm_rows.table(body, self.columns)
        if kind == PARQUET:
            return self._checked(parquet_rows.table(body, parquet_rows.arro3()))
        if kind == RECORDIO:
            return self._checked(recordio.table(body, self.columns))
        return self._checked(self._readers[kind](body))

    def _checked(self, table: Any) -> Any:
        if table.ndim == 1:
            table = table.reshape(1, -1)
        if table.ndim != 2:
            raise Refusal(400, f"The data has {table.ndim} dimensions; a table has 2.")
        if not len(table):
            raise Refusal(400, "The request's body holds no row.")
        if self.columns is not None and table.shape[1] != self.columns:
            raise bad_value(
                f"Row 1 has {table.shape[1]} columns; the model takes {self.columns}.", row=1
            )
        return table

    def _json(self, body: bytes) -> Any:
        return matrix(rows_of(_loads(body)))

    def _jsonlines(self, body: bytes) -> Any:
        rows: list[Any] = []
        for number, line in enumerate(decoded(body).splitlines(), 1):
            if line.strip():
                rows.append(_row_of(_loads(line.encode(), row=number), number))
        return matrix(rows)

    def _npy(self, body: bytes) -> Any:
        import numpy as np

        try:
            array = np.load(io.BytesIO(body), allow_pickle=False)
        except (ValueError, EOFError, OSError) as error:
            raise Refusal(400, f"The body is not an array in npy format: {error}") from None
        if getattr(getattr(array, "dtype", None), "kind", "") not in "fiub":
            raise Refusal(400, f"The array holds {getattr(array, 'dtype', 'files')}, not numbers.")
        return array if array.dtype == np.float32 else to_float32(array.astype(np.float64))


def _loads(body: bytes, row: int | None = None) -> Any:
    import orjson

    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        where = "The body" if row is None else f"Line {row}"
        facts = {} if row is None else {"row": row}
        raise Refusal(400, f"{where} is not valid JSON: {error}", **facts) from None


def rows_of(document: Any) -> list[Any]:
    """The rows in a JSON document: a list of lists or of objects with `features`, the same under
    `instances`, one `features` object, or one row."""
    if isinstance(document, dict):
        if "instances" in document:
            return rows_of(document["instances"])
        return [_row_of(document, 1)]
    if not isinstance(document, list):
        raise Refusal(400, f"The body is a JSON {type(document).__name__}, not rows of numbers.")
    if document and not isinstance(document[0], list | dict):
        return [document]
    return [row if isinstance(row, list) else _row_of(row, n) for n, row in enumerate(document, 1)]


def _row_of(value: Any, row: int) -> list[Any]:
    """One row: a list, or an object with `features` (or AWS's `data: {features: {values}}`)."""
    if isinstance(value, dict):
        inner = value.get("data", value)
        value = inner.get("features") if isinstance(inner, dict) else inner
        if isinstance(value, dict):
            value = value.get("values")
    if isinstance(value, list):
        return value
    raise bad_value(f"Row {row} must be a list of numbers or an object with `features`.", row=row)


def matrix(rows: list[Any]) -> Any:
    """float32 (rows, columns); null becomes NaN. Raises Refusal naming row and column."""
    import numpy as np

    if not rows:
        raise Refusal(400, "The request's body holds no row.")
    width = len(rows[0])
    for row, values in enumerate(rows, 1):
        if len(values) != width:
            raise bad_value(f"Row {row} has {len(values)} columns, row 1 has {width}.", row=row)
    if not all(type(cell) in _PLAIN for values in rows for cell in values):
        rows = [
            [_cell(cell, row, column) for column, cell in enumerate(values, 1)]
            for row, values in enumerate(rows, 1)
        ]
    return to_float32(np.array(rows, np.float64).reshape(len(rows), width))


_PLAIN = frozenset((float, int))


def _cell(value: Any, row: int, column: int) -> float:
    if value is None:
        return float("nan")
    if isinstance(value, bool | int | float):
        return float(value)
    from sagedock.runtime.serve.csv_rows import number

    if isinstance(value, str):
        return number(value, row, column)
    raise bad_value(
        f"Row {row}, column {column} holds a {type(value).__name__}, not a number.",
        row=row,
        column=column,
    )
