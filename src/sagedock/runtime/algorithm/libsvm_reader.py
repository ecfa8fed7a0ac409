"""libsvm files into a sparse table: `label[:weight] [qid:n] index:value …`. Source: H2.6.

An index is the feature's column as it stands, so files that count from 1 leave column 0 empty. That
is what the built-in container does, for training and for inference alike. Blocks of lines go
through numpy; a block that is not plain is read line by line, which also says what is wrong where.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from sagedock.errors import TrainingError
from sagedock.runtime.algorithm.table import Array, Part, Table, line_of

BLOCK = 8 << 20
SPACE, COLON, BREAK = 32, 58, 10
MAX_INDEX = 2**31 - 2
_TO_LINES = bytes.maketrans(b" :", b"\n\n")
_QID = "qid"


class _NotPlain(Exception):  # noqa: N818
    """A block that needs the careful reader."""


@dataclass(kw_only=True)
class _Rows:
    """Rows as flat arrays: `counts[i]` features of row i; `weight` is 1 where none was given."""

    label: Array
    weight: Array
    counts: Array
    index: Array
    value: Array
    weighted: bool
    query: list[int] = field(default_factory=list)


def read(files: Sequence[Path], *, columns: int | None) -> Table:
    """The table of `files`, at least `columns` features wide."""
    import numpy as np
    from scipy.sparse import csr_matrix

    blocks: list[_Rows] = []
    parts: list[Part] = []
    for path in files:
        read_blocks = [_parse(path, data, line) for data, line in _blocks(path)]
        rows = sum(len(block.label) for block in read_blocks)
        first = parts[-1].first + parts[-1].rows if parts else 0
        parts.append(Part(path=path, first=first, rows=rows))
        blocks += read_blocks
    index = np.concatenate([block.index for block in blocks])
    starts = np.concatenate([[0], np.cumsum(np.concatenate([block.counts for block in blocks]))])
    width = max(int(index.max()) + 1 if index.size else 0, columns or 0)
    value = np.concatenate([block.value for block in blocks])
    label = np.concatenate([block.label for block in blocks])
    return Table(
        features=csr_matrix((value, index, starts), shape=(len(label), width)),
        label=label,
        weight=_weights(blocks),
        query=_queries(blocks, files),
        parts=parts,
        place=line_of,
    )


def _weights(blocks: Iterable[_Rows]) -> Array | None:
    import numpy as np

    listed = list(blocks)
    if not any(block.weighted for block in listed):
        return None
    return np.concatenate([block.weight for block in listed])


def _queries(blocks: Sequence[_Rows], files: Sequence[Path]) -> Array | None:
    import numpy as np

    ids = [number for block in blocks for number in block.query]
    if not ids:
        return None
    if len(ids) != sum(len(block.label) for block in blocks):
        raise TrainingError(
            f"Some lines of {files[0].parent} have a qid and others have none.",
            hint="Give every line a qid, or none.",
        )
    if any(later < earlier for earlier, later in pairwise(ids)):
        raise TrainingError(
            f"Lines of {files[0].parent} are not sorted by qid.",
            hint="Sort them: XGBoost needs groups in one piece.",
        )
    return np.asarray(ids, np.int64)


def _blocks(path: Path) -> Iterator[tuple[bytes, int]]:
    """Whole lines of the file, with the number of the first."""
    with path.open("rb") as file:
        line = 1
        while data := file.read(BLOCK):
            data += file.readline()
            yield data, line
            line += data.count(b"\n")


def _parse(path: Path, data: bytes, line: int) -> _Rows:
    try:
        return _parse_plain(_plain(data))
    except _NotPlain:
        return _parse_lines(path, data.decode("utf-8", "replace"), line)


def _plain(data: bytes) -> bytes:
    """`data` with single spaces and line breaks only."""
    if b"#" in data or b"q" in data:
        raise _NotPlain
    if b"\r" in data or b"\t" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\t", b" ")
    if b"  " in data:
        data = re.sub(b" +", b" ", data)
    data = data.replace(b" \n", b"\n").replace(b"\n ", b"\n").strip()
    if b"\n\n" in data:
        data = re.sub(b"\n+", b"\n", data)
    if not data:
        raise _NotPlain
    return data + b"\n"


def _parse_plain(data: bytes) -> _Rows:
    """Every number in one pass, told apart by the marks before and after it."""
    import numpy as np

    marks = np.frombuffer(data, np.uint8)
    after = marks[(marks == SPACE) | (marks == COLON) | (marks == BREAK)]
    numbers = _numbers(data.translate(_TO_LINES))
    if len(numbers) != len(after):
        raise _NotPlain
    before = np.concatenate([[BREAK], after[:-1]])
    is_label = before == BREAK
    of_label = np.concatenate([[False], is_label[:-1]])
    is_index, follows = before == SPACE, before == COLON
    is_value, is_weight = follows & ~of_label, follows & of_label
    if (after[is_index] != COLON).any() or (after[follows] == COLON).any():
        raise _NotPlain
    index, value = numbers[is_index], numbers[is_value].astype(np.float32)
    if not _are_indices(index) or np.isinf(value).any():
        raise _NotPlain
    row = np.cumsum(is_label) - 1
    weight: Array = np.ones(int(row[-1]) + 1, np.float32)
    weight[row[is_weight]] = numbers[is_weight]
    return _Rows(
        label=numbers[is_label].astype(np.float32),
        weight=weight,
        counts=np.bincount(row[is_index], minlength=len(weight)),
        index=index.astype(np.int32),
        value=value,
        weighted=bool(is_weight.any()),
    )


def _are_indices(index: Array) -> bool:
    return bool(((index >= 0) & (index <= MAX_INDEX) & (index == index.round())).all())


def _numbers(lines: bytes) -> Array:
    import numpy as np
    import pandas as pd

    if any(letter in lines for letter in (b"u", b"U", b"s", b"S")):
        raise _NotPlain
    try:
        frame = pd.read_csv(
            io.BytesIO(lines),
            header=None,
            dtype=np.float64,
            engine="c",
            sep=",",
            keep_default_na=False,
            na_values=["nan", "NaN"],
            low_memory=False,
        )
    except (ValueError, pd.errors.ParserError):
        raise _NotPlain from None
    if frame.shape[1] != 1:
        raise _NotPlain
    column: Array = frame[0].to_numpy()
    return column


@dataclass(frozen=True, kw_only=True)
class _Line:
    label: float
    weight: float | None
    query: int | None
    pairs: list[tuple[int, float]]


def _parse_lines(path: Path, text: str, first: int) -> _Rows:
    import numpy as np

    lines = []
    for number, line in enumerate(text.split("\n"), start=first):
        tokens = line.partition("#")[0].split()
        if tokens:
            lines.append(_line(tokens, f"{path}, line {number}"))
    pairs = [pair for line in lines for pair in line.pairs]
    return _Rows(
        label=np.asarray([line.label for line in lines], np.float32),
        weight=np.asarray([_or_one(line.weight) for line in lines], np.float32),
        counts=np.asarray([len(line.pairs) for line in lines], np.int64),
        index=np.asarray([index for index, _ in pairs], np.int32),
        value=np.asarray([value for _, value in pairs], np.float32),
        weighted=any(line.weight is not None for line in lines),
        query=[line.query for line in lines if line.query is not None],
    )


def _or_one(weight: float | None) -> float:
    return 1.0 if weight is None else weight


def _line(tokens: Sequence[str], where: str) -> _Line:
    label, _, weight = tokens[0].partition(":")
    query = None
    rest = tokens[1:]
    if rest and rest[0].startswith(f"{_QID}:"):
        query = int(_number(rest[0].partition(":")[2], rest[0], where))
        rest = rest[1:]
    return _Line(
        label=_number(label, tokens[0], where),
        weight=_number(weight, tokens[0], where) if weight else None,
        query=query,
        pairs=[_pair(token, where) for token in rest],
    )


def _pair(token: str, where: str) -> tuple[int, float]:
    name, colon, text = token.partition(":")
    if not colon or not (name.isascii() and name.isdigit()) or int(name) > MAX_INDEX:
        raise _bad(token, where)
    value = _number(text, token, where)
    if math.isinf(value):
        raise _bad(token, where)
    return int(name), value


def _number(text: str, token: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise _bad(token, where) from None


def _bad(token: str, where: str) -> TrainingError:
    return TrainingError(
        f"{where}: {token[:60]!r} is not libsvm.",
        hint="Expected 'label[:weight] index:value …', indices being whole numbers from 0. "
        "For CSV set content_type='text/csv'.",
    )


def widened(table: Table, columns: int) -> Table:
    """The table with at least `columns` features, the new ones being absent everywhere."""
    if table.columns < columns:
        table.features.resize((table.rows, columns))
    return table
