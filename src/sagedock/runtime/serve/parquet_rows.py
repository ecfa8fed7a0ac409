"""application/x-parquet to a table, where a reader is installed: arro3-io, 33 MB unpacked.

The image without it has 298 of its 300 MB, and pyarrow, polars and duckdb are larger still. So the
reader is an addition: arro3-io in the artifact's code/requirements.txt, or an image built on this
one (containers/serving/parquet). Must not know HTTP servers or models.
"""

from __future__ import annotations

import importlib
import importlib.util
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from sagedock.runtime.serve.problems import Refusal, bad_value

HOW = (
    "Content-Type application/x-parquet needs the package arro3-io, which this image doesn't have: "
    "name it in the model's code/requirements.txt, or in an image built on this one."
)
_MAGIC = b"PAR1"


@cache
def available() -> bool:
    return (
        importlib.util.find_spec("arro3") is not None
        and importlib.util.find_spec("arro3.io") is not None
    )


@dataclass(frozen=True, kw_only=True)
class Reader:
    """What is needed of arro3: its `read_parquet` and its `DataType`."""

    read: Callable[[io.BytesIO], Any]
    types: Any


def arro3() -> Reader:
    """Loaded by name: no environment in which this is checked has it."""
    return Reader(
        read=importlib.import_module("arro3.io").read_parquet,
        types=importlib.import_module("arro3.core").DataType,
    )


def table(body: bytes, reader: Reader) -> Any:
    """float32 (rows, columns), null as NaN. Raises Refusal 400 naming a column that holds no
    numbers, from 1 as elsewhere."""
    import numpy as np

    found = _read(body, reader)
    names = found.column_names
    rows: Any = np.empty((found.num_rows, len(names)), np.float32)
    for place, name in enumerate(names):
        column = found.column(place)
        if not _holds_numbers(column.type, reader.types):
            raise bad_value(
                f"Column {place + 1}, {name[:60]!r}, holds {column.type}, no numbers.",
                column=place + 1,
            )
        with np.errstate(over="ignore"):
            rows[:, place] = _numbers(column)
    return rows


def _read(body: bytes, reader: Reader) -> Any:
    if len(body) < 12 or body[:4] != _MAGIC or body[-4:] != _MAGIC:
        raise Refusal(400, "The body is not a Parquet file: it doesn't begin and end with PAR1.")
    try:
        return reader.read(io.BytesIO(body)).read_all()
    except BaseException as error:
        # What the reader's Rust code panics with is no Exception.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        words = str(error).strip().splitlines() or [repr(error)]
        raise Refusal(400, f"The body is not a Parquet file: {words[0]}") from None


def _holds_numbers(kind: Any, types: Any) -> bool:
    return types.is_boolean(kind) or (types.is_numeric(kind) and not types.is_decimal(kind))


def _numbers(column: Any) -> Any:
    import numpy as np

    if not column.null_count:
        return column.to_numpy()
    cells = [np.nan if cell is None else cell for cell in column.to_pylist()]
    return np.array(cells, np.float64)
