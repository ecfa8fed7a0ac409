"""What a reader gives: labels, features, weights, and where each row came from. Reads no data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Array = Any
"""A numpy array. Untyped: the project is checked and its rules are tested where numpy is not."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """Rows `[first, first + rows)` of a table come from `path`, in the file's order."""

    path: Path
    first: int
    rows: int


@dataclass(frozen=True, kw_only=True)
class Table:
    """One channel in memory.

    `features`: float32, rows x features, dense array or scipy CSR. `label`, `weight`: float32, one
    a row; `weight` is None where the data has none. `query`: ids of ranking groups (libsvm `qid:`).
    `place` turns a path and a row of that file, from 0, into words such as `a.csv, line 3`.
    """

    features: Array
    label: Array
    weight: Array | None
    query: Array | None
    parts: Sequence[Part]
    place: Callable[[Path, int], str]

    @property
    def rows(self) -> int:
        return int(self.features.shape[0])

    @property
    def columns(self) -> int:
        """Features; the label and weight are not counted."""
        return int(self.features.shape[1])

    def where(self, row: int) -> str:
        """The place of table row `row` in words."""
        for part in self.parts:
            if part.first <= row < part.first + part.rows:
                return self.place(part.path, row - part.first)
        raise IndexError(row)


def line_of(path: Path, row: int) -> str:
    """`path, line n` of the n-th row of a text file; blank lines are no rows."""
    seen = -1
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            seen += bool(line.strip())
            if seen == row:
                return f"{path}, line {number}"
    return f"{path}, row {row + 1}"


def row_of(path: Path, row: int) -> str:
    """`path, row n` of a file that has no lines."""
    return f"{path}, row {row + 1}"
