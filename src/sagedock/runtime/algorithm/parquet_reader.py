"""Parquet files into one float32 array, label first. Source: H2.6. Knows no XGBoost.

fastparquet reads them (15 MB in the image; pyarrow takes 165). One kind of file it reads wrongly,
booleans in version-2 pages, is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sagedock.errors import TrainingError
from sagedock.runtime.algorithm.table import Array, Part, Table, row_of

BOOLEAN = 0
PLAIN = 0
"""Numbers of the Parquet format: physical type and encoding."""


def read(files: Sequence[Path]) -> Table:
    """The table of `files`; the first column is the label, nulls are missing values."""
    import numpy as np

    opened = [_open(path) for path in files]
    _check_columns(files, opened)
    rows = sum(int(file.count()) for file in opened)
    names = _columns(opened[0])
    array: Array = np.empty((rows, len(names)), np.float32)
    parts, at = [], 0
    for path, file in zip(files, opened, strict=True):
        first = at
        for frame in _row_groups(path, file, names):
            array[at : at + len(frame)] = _numbers(path, frame)
            at += len(frame)
        parts.append(Part(path=path, first=first, rows=at - first))
    return Table(
        features=array[:, 1:],
        label=array[:, 0].copy(),
        weight=None,
        query=None,
        parts=parts,
        place=row_of,
    )


def _open(path: Path) -> Any:
    from fastparquet import ParquetFile

    try:
        file = ParquetFile(str(path), pandas_nulls=False)
    except Exception as error:
        raise _unreadable(path, error) from error
    if len(_columns(file)) < 2:
        raise TrainingError(
            f"{path} has columns {_columns(file)}: expected the label and at least one feature."
        )
    for group in file.row_groups:
        for chunk in group.columns:
            _check_booleans(path, chunk.meta_data)
    return file


def _columns(file: Any) -> list[str]:
    """Names of the data's columns; a stored pandas index is none, as in the built-in container."""
    index = (file.pandas_metadata or {}).get("index_columns", [])
    return [name for name in file.columns if name not in index]


def _check_booleans(path: Path, chunk: Any) -> None:
    if chunk.type == BOOLEAN and PLAIN not in chunk.encodings:
        raise TrainingError(
            f"{path}, column {'.'.join(map(str, chunk.path_in_schema))!r}: booleans in version-2 "
            "pages cannot be read here.",
            hint="Write the column as numbers (astype(int)), or with data_page_version='1.0'.",
        )


def _check_columns(files: Sequence[Path], opened: Sequence[Any]) -> None:
    for path, file in zip(files, opened, strict=True):
        found, expected = _columns(file), _columns(opened[0])
        if found != expected:
            raise TrainingError(
                f"{path} has other columns than {files[0]}: {len(found)} "
                f"({_some(found)}) and {len(expected)} ({_some(expected)}).",
                hint="All files of a channel need the same columns in the same order.",
            )


def _some(names: Sequence[Any]) -> str:
    return ", ".join(str(name) for name in names[:5]) + (", …" if len(names) > 5 else "")


def _row_groups(path: Path, file: Any, columns: Sequence[str]) -> Any:
    try:
        yield from file.iter_row_groups(columns=list(columns), index=False)
    except Exception as error:
        raise _unreadable(path, error) from error


def _numbers(path: Path, frame: Any) -> Array:
    import numpy as np

    for name, dtype in frame.dtypes.items():
        if dtype.kind not in "biuf":
            raise TrainingError(
                f"{path}, column {str(name)!r} holds {dtype}, expected numbers.",
                hint="Encode it as numbers first, for example with get_dummies(…, dtype=int).",
            )
    array = frame.to_numpy(dtype=np.float32, na_value=np.nan)
    infinite = np.argwhere(np.isinf(array))
    if len(infinite):
        row, column = infinite[0]
        raise TrainingError(
            f"{path}, column {str(frame.columns[column])!r}: row {row + 1} of a row group is "
            "infinite, or too large for 32-bit floating point.",
            hint="Write a missing value as null.",
        )
    return array


def _unreadable(path: Path, error: Exception) -> TrainingError:
    return TrainingError(f"{path} cannot be read as Parquet: {type(error).__name__}: {error}")
