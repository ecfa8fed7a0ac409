"""What can be told of CSV from its text alone: delimiter, header, and what is wrong with a block.

The reader calls this before it reads (first lines) and after a block was refused; the hot path is
in `csv_reader`. Pure.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sagedock.errors import TrainingError

DELIMITERS = (",", "\t", ";", "|")
NAMES = {",": "comma", "\t": "tab", ";": "semicolon", "|": "pipe", " ": "space"}
BOM = b"\xef\xbb\xbf"

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_MISSING = frozenset(("", "nan", "+nan", "-nan"))
_INFINITE = frozenset(("inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"))
_MISSING_WORDS = frozenset(("na", "n/a", "#n/a", "null", "none", "<na>", "?", "-"))
FLOAT32_MAX = 3.4028235e38

WITHOUT_HEADER = "Write the file without it: DataFrame.to_csv(path, header=False, index=False)."


def is_number(cell: str) -> bool:
    return _NUMBER.fullmatch(cell.strip()) is not None


def is_missing(cell: str) -> bool:
    """An empty field, or nan."""
    return cell.strip().lower() in _MISSING


def delimiter_of(line: str) -> str | None:
    """The delimiter of a line: the most frequent of comma, tab, semicolon and pipe, else a space.

    None for a line with one field only.
    """
    counts = {mark: line.count(mark) for mark in DELIMITERS}
    best = max(DELIMITERS, key=lambda mark: counts[mark])
    if counts[best]:
        return best
    return " " if " " in line.strip() else None


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a CSV file is written."""

    delimiter: str
    columns: int


def layout_of(path: Path, first_lines: Sequence[str]) -> Layout:
    """Delimiter and number of columns by the first line. Refuses a header and a lonely column."""
    first = first_lines[0]
    delimiter = delimiter_of(first)
    if delimiter is None:
        raise _one_column(path, first)
    cells = split(first, delimiter)
    below = split(first_lines[1], delimiter) if len(first_lines) > 1 else []
    if is_header(cells, below):
        raise _header(path, cells)
    return Layout(delimiter=delimiter, columns=len(cells))


def split(line: str, delimiter: str) -> list[str]:
    """Fields of one line."""
    return next(csv.reader([line], delimiter=delimiter, skipinitialspace=delimiter != " "), [])


def is_header(first: Sequence[str], second: Sequence[str]) -> bool:
    """Whether words stand in the first line where the second has numbers, or everywhere."""
    names = [i for i, cell in enumerate(first) if not (is_number(cell) or is_missing(cell))]
    below = [second[i] for i in names if i < len(second)]
    if len(names) == len(first):
        return True
    return bool(below) and all(is_number(cell) or is_missing(cell) for cell in below)


def numbered_header(cells: Sequence[str]) -> bool:
    """Whether the cells are 0, 1, 2, … as pandas writes the header of a frame without names."""
    return len(cells) >= 4 and [cell.strip() for cell in cells] == [
        str(number) for number in range(len(cells))
    ]


def _header(path: Path, cells: Sequence[str]) -> TrainingError:
    shown = ", ".join(repr(cell.strip()) for cell in cells[:5])
    more = ", …" if len(cells) > 5 else ""
    return TrainingError(
        f"{path} has a header in line 1 ({shown}{more}): the algorithm expects CSV without header, "
        "the label in the first column.",
        hint=WITHOUT_HEADER,
    )


def _one_column(path: Path, line: str) -> TrainingError:
    return TrainingError(
        f"{path} has a single column (line 1: {line[:60]!r}): expected the label and at least one "
        "feature, separated by comma, tab, semicolon, pipe or space."
    )


def fault(path: Path, text: str, layout: Layout, first_line: int) -> TrainingError:
    """The first thing wrong in `text`, whose first line is line `first_line` of `path`."""
    for number, cells in _rows(text, layout.delimiter, first_line):
        if len(cells) != layout.columns:
            return _ragged(path, number, cells, layout)
        for column, cell in enumerate(cells, start=1):
            if not _is_good(cell):
                return _bad_cell(path, number, column, cell)
    return TrainingError(
        f"{path} cannot be read as CSV near line {first_line}.",
        hint=f"Expected {layout.columns} numbers a line, separated by "
        f"{NAMES[layout.delimiter]}, without quotes or line breaks in them.",
    )


def _rows(text: str, delimiter: str, first_line: int) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(text.splitlines(), start=first_line):
        if line.strip():
            yield number, split(line.replace("\0", "�"), delimiter)


def _is_good(cell: str) -> bool:
    return is_missing(cell) or (is_number(cell) and abs(float(cell)) <= FLOAT32_MAX)


def _ragged(path: Path, number: int, cells: Sequence[str], layout: Layout) -> TrainingError:
    return TrainingError(
        f"{path}, line {number} has {len(cells)} columns where line 1 has {layout.columns}.",
        hint=f"Every line needs the same number of fields (separator: {NAMES[layout.delimiter]}); "
        "a missing value is an empty field.",
    )


def _bad_cell(path: Path, number: int, column: int, cell: str) -> TrainingError:
    what = "label" if column == 1 else "value"
    column_text = f"column {column}" + (" (the label)" if column == 1 else "")
    shown = cell.strip()[:60]
    kind = "infinite" if _is_infinite(cell) else "not a number"
    return TrainingError(
        f"{path}, line {number}, {column_text}: the {what} {shown!r} is {kind}.",
        hint=_advice(cell.strip().lower(), what),
    )


def _is_infinite(cell: str) -> bool:
    return cell.strip().lower() in _INFINITE or is_number(cell)


def _advice(cell: str, what: str) -> str:
    if cell in ("true", "false"):
        return "Write 1 and 0: DataFrame.astype(int), or get_dummies(…, dtype=int)."
    if cell in _MISSING_WORDS:
        return "Write a missing value as an empty field: to_csv(…, na_rep='')."
    if _is_infinite(cell):
        return "Values must fit into 32-bit floating point; write a missing value as empty field."
    if is_number(cell.replace(",", ".", 1)):
        return "Write decimals with a point and no thousands separator."
    if what == "label":
        return "The label must be the first column, as a number: encode classes as 0, 1, …."
    return "Encode text as numbers first, for example with get_dummies(…, dtype=int)."
