"""text/libsvm to a table: `[label] index:value …`, an index being the feature's column (H5.7).

The built-in container shifts indices by one when the smallest of a *payload* is 1 or more, so that
one row gets two answers in different company. Here an index always means the same column, the one
it had in training. What isn't named is missing.
"""

from __future__ import annotations

from typing import Any

from sagedock.runtime.serve.csv_rows import decoded, number
from sagedock.runtime.serve.problems import Refusal, bad_value

DENSE_CELLS = 1 << 24
"""Up to 64 MB a table is laid out in full, which predicts faster and needs no scipy."""


def table(body: bytes, columns: int | None) -> Any:
    """float32 (rows, columns), NaN where nothing was named; CSR beyond DENSE_CELLS."""
    lines = [line for line in decoded(body).splitlines() if line.strip()]
    if not lines:
        raise Refusal(400, "The request's body holds no row.")
    rows, indices, values = [], [], []
    for row, line in enumerate(lines, 1):
        for index, value in _pairs(line, row, columns):
            rows.append(row - 1)
            indices.append(index)
            values.append(value)
    width = columns or max(indices, default=-1) + 1
    return _laid_out(rows, indices, values, (len(lines), width))


def _pairs(line: str, row: int, columns: int | None) -> list[tuple[int, float]]:
    words = line.partition("#")[0].split()
    if words and (":" not in words[0] or _is_label_with_weight(words)):
        number(words[0].partition(":")[0], row, 1)
        words = words[1:]
    return [_pair(word, row, place, columns) for place, word in enumerate(words, 1)]


def _is_label_with_weight(words: list[str]) -> bool:
    """`0.5:2 3:1`: only a label may have a point before the colon."""
    return not words[0].partition(":")[0].isdigit() and not words[0].startswith("qid:")


def _pair(word: str, row: int, place: int, columns: int | None) -> tuple[int, float]:
    index, _, value = word.partition(":")
    if index == "qid":
        return 0, float("nan")
    if not (index.isascii() and index.isdigit()) or not value:
        raise bad_value(
            f"Row {row}, field {place}: {word[:60]!r} is not index:value.", row=row, column=place
        )
    if columns is not None and int(index) >= columns:
        raise bad_value(
            f"Row {row}, field {place}: index {index} is beyond the model's {columns} features, "
            f"0 to {columns - 1}.",
            row=row,
            column=place,
        )
    return int(index), number(value, row, place)


def _laid_out(rows: list[int], indices: list[int], values: list[float], shape: Any) -> Any:
    import numpy as np

    numbers = np.array(values, np.float64).astype(np.float32)
    if shape[0] * shape[1] <= DENSE_CELLS:
        full = np.full(shape, np.nan, np.float32)
        kept = ~np.isnan(numbers)
        full[np.array(rows, int)[kept], np.array(indices, int)[kept]] = numbers[kept]
        return full
    from scipy.sparse import csr_matrix

    kept = ~np.isnan(numbers)
    places = (np.array(rows, int)[kept], np.array(indices, int)[kept])
    return csr_matrix((numbers[kept], places), shape=shape, dtype=np.float32)
