"""CSV and numbers: text/csv to a float32 table without pandas.

The fast way turns the text into one JSON array for simdjson, whose grammar lets nothing pass but
numbers, commas and (looked for by hand) brackets. A number of its own stands for every line break:
where it comes back tells whether each line had the right number of fields. Empty fields and `nan`
become NaN by way of another such number, after a look at every byte. What isn't plain goes field by
field, which is slow and says what is wrong where.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sagedock.runtime.serve.problems import Refusal, bad_value

_PLAIN = b"0123456789.,-+eE \n"
_HOLE = b" -0.98765432198765e299 "
"""Stands for a missing value; the spaces keep it from joining with what stands beside it."""
_HOLE_VALUE = float(_HOLE)
_END = b",-0.98765432198765e298,"
"""Stands for a line break. Both numbers are infinite as float32, which is how they are found."""
_END_VALUE = float(_END.strip(b","))
_NOT_NUMBERS = (ValueError, TypeError, RuntimeError)
"""What simdjson raises: no JSON; other JSON than numbers; whole numbers of more than 64 bits."""
_MISSING = frozenset(("", "nan", "na", "null", "none"))
_NUMBER = re.compile(r"[+-]?((\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|inf(inity)?|nan)", re.ASCII | re.I)
_COMMA, _BREAK = 44, 10
BLOCK_BYTES = 1 << 19
"""Of text that is decoded without giving up Python's lock: a millisecond or two."""


class Decoder:
    """Decodes rows of `columns` numbers; None takes whatever the first row has."""

    def __init__(self, columns: int | None, block_bytes: int = BLOCK_BYTES) -> None:
        import simdjson

        self.columns = columns
        self._block_bytes = block_bytes
        self._parser = simdjson.Parser()

    def table(self, body: bytes) -> Any:
        """float32 of shape (rows, columns). Raises Refusal naming row and column."""
        text = clean(body)
        if not text:
            raise Refusal(400, "The request's body holds no row.")
        first = text[: text.find(b"\n")] if b"\n" in text else text
        columns = self.columns or first.count(b",") + 1
        found = self._in_blocks(text, columns)
        return found if found is not None else careful(text, columns)

    def joined(self, rows: Sequence[bytes]) -> Any:
        """Many single rows that `single` has let through, decoded at once; None when one of them
        isn't plain."""
        return self._numbers(b",".join(rows), len(rows), self.columns or 0)

    def single(self, body: bytes) -> bytes | None:
        """The row, if the body is one plain row with the right number of fields."""
        row = body.strip()
        if not row or b"\n" in row:  # first: a table of many rows is known by its first one's end
            return None
        if row.count(b",") + 1 != self.columns or row.translate(None, _PLAIN):
            return None
        if b",," in row or row[-1] == _COMMA or row[0] == _COMMA:
            return None
        return row

    def _in_blocks(self, text: bytes, columns: int) -> Any:
        """Some rows at a time: other threads get their turn between two blocks, never in one."""
        import numpy as np

        blocks, start = [], 0
        while start < len(text):
            end = text.find(b"\n", start + self._block_bytes)
            block = text[start:end] if end > 0 else text[start:]
            found = self._plain(block, columns)
            if found is None:
                found = self._holed(block, columns)
            if found is None:
                return None
            blocks.append(found)
            start = end + 1 if end > 0 else len(text)
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def _plain(self, text: bytes, columns: int) -> Any:
        """Numbers and nothing else; None when there is anything else."""
        import numpy as np

        if b"[" in text:
            return None
        joined = text.replace(b"\n", _END)
        # By the length: counting takes a fifth of the time that all of the decoding takes.
        rows = (len(joined) - len(text)) // (len(_END) - 1) + 1
        values = self._values(joined)
        if values is None or len(values) != rows * (columns + 1) - 1:
            return None
        if (values[columns :: columns + 1] != _END_VALUE).any():
            return None
        whole = values[: (rows - 1) * (columns + 1)].reshape(rows - 1, columns + 1)
        table: Any = np.empty((rows, columns), np.float32)
        with np.errstate(over="ignore"):
            table[:-1] = whole[:, :columns]
            table[-1] = values[-columns:]
        # A break among the fields; or that number in the text itself, by malice
        misled = np.isinf(table).any() and (values == _END_VALUE).sum() != rows - 1
        return None if misled else table

    def _holed(self, text: bytes, columns: int) -> Any:
        """Numbers, empty fields and nan; None when the text has to be read with care."""
        import numpy as np

        if _HOLE.strip() in text:
            return None
        if text.translate(None, _PLAIN):
            text = text.replace(b"nan", _HOLE).replace(b"NaN", _HOLE)
            if text.translate(None, _PLAIN):
                return None
        rows = text.count(b"\n") + 1
        whole = layout(text, rows, columns)
        if whole is None:
            return None
        if not whole:
            text = filled(text)
        values = self._values(text.replace(b"\n", b","))
        if values is None or len(values) != rows * columns:
            return None
        table = to_float32(values)
        if np.isinf(table).any():
            table[values == _HOLE_VALUE] = np.nan
        return table.reshape(rows, columns)

    def _numbers(self, text: bytes, rows: int, columns: int) -> Any:
        values = self._values(text)
        if values is None or len(values) != rows * columns:
            return None
        return to_float32(values).reshape(rows, columns)

    def _values(self, text: bytes) -> Any:
        """float64 of all numbers between the commas; None when something else is there."""
        import numpy as np

        document: Any = None
        try:
            document = self._parser.parse(b"[" + text + b"]")
            return np.frombuffer(document.as_buffer(of_type="d"), np.float64)
        except _NOT_NUMBERS:
            return None
        finally:
            document = None  # the parser serves one document at a time


def to_float32(values: Any) -> Any:
    """The nearest float32; too large a number becomes infinite, without a warning."""
    import numpy as np

    with np.errstate(over="ignore"):
        return values.astype(np.float32)


def clean(body: bytes) -> bytes:
    """Without byte order mark, carriage returns and empty lines at both ends; commas between."""
    text = body.removeprefix(b"\xef\xbb\xbf")
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    text = text.strip(b"\n \x00")
    if b"," not in text:
        for mark in (b"\t", b";", b"|"):
            if mark in text:
                return text.replace(mark, b",")
    return text


def filled(text: bytes) -> bytes:
    """The text with a number in every empty field."""
    if b",," in text:
        text = text.replace(b",,", b"," + _HOLE + b",").replace(b",,", b"," + _HOLE + b",")
    text = text.replace(b"\n,", b"\n" + _HOLE + b",").replace(b",\n", b"," + _HOLE + b"\n")
    text = text.replace(b"\n\n", b"\n" + _HOLE + b"\n").replace(b"\n\n", b"\n" + _HOLE + b"\n")
    if text[:1] == b",":
        text = _HOLE + text
    return text + _HOLE if text[-1:] == b"," else text


def layout(text: bytes, rows: int, columns: int) -> bool | None:
    """None unless every line has `columns` fields; then whether no field is empty."""
    import numpy as np

    codes = np.frombuffer(text, np.uint8)
    marks: Any = np.flatnonzero((codes == _COMMA) | (codes == _BREAK))
    if len(marks) != rows * columns - 1:
        return None
    if (codes[marks[columns - 1 :: columns]] != _BREAK).any():
        return None
    if not len(marks):
        return True
    ends = marks[0] == 0 or marks[-1] == len(text) - 1
    return not (ends or (marks[1:] - marks[:-1] == 1).any())


def careful(text: bytes, columns: int) -> Any:
    """Field by field. Raises Refusal naming row and column, from 1."""
    import numpy as np

    lines = decoded(text).split("\n")
    table: Any = np.empty((len(lines), columns), np.float64)
    for row, line in enumerate(lines, 1):
        cells = line.split(",")
        if len(cells) != columns:
            raise bad_value(
                f"Row {row} has {len(cells)} columns; the model takes {columns}.",
                row=row,
            )
        table[row - 1] = [number(cell, row, column) for column, cell in enumerate(cells, 1)]
    with np.errstate(over="ignore"):
        return table.astype(np.float32)


def decoded(text: bytes) -> str:
    """The text, or 400 for bytes that aren't UTF-8."""
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        row = text.count(b"\n", 0, error.start) + 1
        raise bad_value(f"Row {row} is not UTF-8 text.", row=row) from None


def number(cell: str, row: int, column: int) -> float:
    """One field's value, NaN for an empty one."""
    bare = cell.strip().strip('"').strip()
    if bare.lower() in _MISSING:
        return float("nan")
    if _NUMBER.fullmatch(bare) is None:
        raise bad_value(
            f"Row {row}, column {column}: {bare[:60]!r} is not a number."
            + (" Send the rows without a header." if row == 1 else ""),
            row=row,
            column=column,
        )
    return float(bare)
