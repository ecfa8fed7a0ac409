"""CSV files into one float32 array, label first. Source: H2.5. Knows no XGBoost.

The hot path: blocks of lines through pandas' C parser on a few threads, into one array whose size
is known from the number of line breaks, so that nothing is held twice. What pandas would take
silently (short rows, True, infinity) is found by three cheap looks at each block; only then is a
block read again, line by line, to say what is wrong and where (`csv_text`).
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sagedock.errors import TrainingError
from sagedock.runtime.algorithm.csv_text import (
    BOM,
    Layout,
    fault,
    layout_of,
    numbered_header,
    split,
)
from sagedock.runtime.algorithm.log import Log
from sagedock.runtime.algorithm.table import Array, Part, Table, line_of

BLOCK = 4 << 20
"""Bytes a thread parses at once: 16 MiB cost memory, 1 MiB and less cost time."""

NAN_WORDS = ["", "nan", "NaN", "NAN", "Nan", "-nan", "-NaN", "+nan"]


class _Unreadable(Exception):  # noqa: N818
    """A block that is not rows of numbers; it says nothing of where and why."""


@dataclass(frozen=True, kw_only=True)
class _Block:
    """Whole lines of a file; `line` is the number of the first of them."""

    data: bytes
    line: int


def read(
    files: Sequence[Path],
    *,
    weights: bool,
    columns: int | None,
    threads: int,
    log: Log,
    block_size: int = BLOCK,
) -> Table:
    """The table of `files`. `weights` says that column 2 holds instance weights.

    `columns` is the number of features expected, None for what the first file has. With `weights`
    a file may then have its weight column or not (a validation set needs none).
    """
    layouts = [_layout(path, log) for path in files]
    _check_columns(files, layouts)
    weighted = _has_weights(files[0], layouts[0], weights, columns)
    array, parts = _read_all(files, layouts, threads, block_size)
    first = 2 if weighted else 1
    return Table(
        features=array[:, first:],
        label=array[:, 0].copy(),
        weight=array[:, 1].copy() if weighted else None,
        query=None,
        parts=parts,
        place=line_of,
    )


def _layout(path: Path, log: Log) -> Layout:
    with path.open("r", encoding="utf-8-sig", errors="replace") as file:
        first_lines = list(islice((line for line in file if line.strip()), 2))
    if not first_lines:
        raise TrainingError(f"{path} holds blank lines only.", hint="Remove it from the channel.")
    lines = [line.rstrip("\r\n") for line in first_lines]
    layout = layout_of(path, lines)
    if numbered_header(split(lines[0], layout.delimiter)):
        log.warning(
            f"{path}, line 1 reads 0, 1, 2, …: if that is a header, write the file with "
            "header=False; it is taken as a row."
        )
    return layout


def _check_columns(files: Sequence[Path], layouts: Sequence[Layout]) -> None:
    for path, layout in zip(files, layouts, strict=True):
        if layout.columns != layouts[0].columns:
            raise TrainingError(
                f"{path} has {layout.columns} columns where {files[0]} has {layouts[0].columns}.",
                hint="All files of a channel need the same columns.",
            )


def _has_weights(path: Path, layout: Layout, weights: bool, columns: int | None) -> bool:
    """Whether column 2 is a weight; raises where that leaves no feature."""
    if not weights or (columns is not None and layout.columns == columns + 1):
        return False
    if layout.columns < 3:
        raise TrainingError(
            f"{path} has {layout.columns} columns: with csv_weights=1 expected the label, the "
            "weight and at least one feature."
        )
    return True


def _read_all(
    files: Sequence[Path], layouts: Sequence[Layout], threads: int, block_size: int
) -> tuple[Array, list[Part]]:
    import numpy as np

    breaks = sum(_line_breaks(path) for path in files)
    array: Array = np.empty((breaks + len(files), layouts[0].columns), np.float32)
    parts, rows = [], 0
    with ThreadPoolExecutor(threads) as pool:
        for path, layout in zip(files, layouts, strict=True):
            first = rows
            for block in _parsed(path, layout, pool, threads, block_size):
                if rows + len(block) > len(array):
                    raise _strange_breaks(path)
                array[rows : rows + len(block)] = block
                rows += len(block)
            parts.append(Part(path=path, first=first, rows=rows - first))
    return array[:rows], parts


def _strange_breaks(path: Path) -> TrainingError:
    return TrainingError(
        f"{path} has more rows than line feeds: some lines end with a carriage return alone.",
        hint="Write it with line ends \\n or \\r\\n.",
    )


def _line_breaks(path: Path) -> int:
    with path.open("rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))


def _parsed(
    path: Path, layout: Layout, pool: ThreadPoolExecutor, threads: int, block_size: int
) -> Iterator[Array]:
    """Arrays of the file's blocks, in order, at most `threads` blocks ahead."""
    pending: deque[Future[Array]] = deque()
    try:
        for block in _blocks(path, block_size):
            pending.append(pool.submit(_parse_or_explain, path, block, layout))
            if len(pending) > threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for future in pending:
            future.cancel()


def _blocks(path: Path, size: int) -> Iterator[_Block]:
    """The file in pieces of about `size` bytes that end with a line."""
    with path.open("rb") as file:
        if file.read(len(BOM)) != BOM:
            file.seek(0)
        line, rest = 1, b""
        while chunk := file.read(size):
            cut = chunk.rfind(b"\n") + 1
            if cut:
                data, rest = rest + chunk[:cut], chunk[cut:]
                yield _Block(data=data, line=line)
                line += data.count(b"\n")
            else:
                rest += chunk
        if rest:
            yield _Block(data=rest, line=line)


def _parse_or_explain(path: Path, block: _Block, layout: Layout) -> Array:
    try:
        return _parse(block.data, layout)
    except _Unreadable:
        text = block.data.decode("utf-8", "replace")
        raise fault(path, text, layout, block.line) from None


def _parse(data: bytes, layout: Layout) -> Array:
    """Rows of `data`. Raises _Unreadable for anything but rows of finite or missing numbers."""
    import numpy as np
    import pandas as pd

    # pandas takes True as 1; the built-in container reads such words as who knows what
    if any(letter in data for letter in (b"u", b"U", b"s", b"S")):
        raise _Unreadable
    if not data.strip():
        return np.empty((0, layout.columns), np.float32)
    delimiter = layout.delimiter.encode()
    spaced = delimiter != b" " and delimiter + b" " in data  # costs a third of the time
    try:
        frame = pd.read_csv(
            io.BytesIO(data),
            sep=layout.delimiter,
            header=None,
            dtype=np.float32,
            engine="c",
            keep_default_na=False,
            na_values=NAN_WORDS,
            skipinitialspace=spaced,
        )
    except (ValueError, pd.errors.ParserError):  # EmptyDataError is a ValueError
        raise _Unreadable from None
    array: Array = frame.to_numpy()
    # a short row would be filled up with missing values
    delimiters = np.count_nonzero(np.frombuffer(data, np.uint8) == delimiter[0])
    if array.shape[1] != layout.columns or delimiters != len(array) * (layout.columns - 1):
        raise _Unreadable
    if np.isinf(array).any():
        raise _Unreadable
    return array
