"""Fields of CSV lines, cut, chosen and joined as bytes: what is kept arrives as it was written.

Lines without quotes are cut by the interpreter's own search, at hundreds of MB/s; only where a
quote is near, a line is read field by field. Pure. Must not know JSON or requests.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from sagedock.errors import InputError
from sagedock.local.transform.jsonpath import Selection

Lines = list[bytes]
_BOM = b"\xef\xbb\xbf"
_FIELD = re.compile(rb'\s*"(?:[^"]|"")*"[^,]*|[^,]*')


def lines(text: bytes) -> Lines:
    """The lines of a payload, blank ones left out."""
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n")
    return list(filter(bytes.strip, text.removeprefix(_BOM).split(b"\n")))


def fields(line: bytes) -> list[bytes]:
    """A line's fields as they are written, quotes and all."""
    if b'"' not in line:
        return line.split(b",")
    found, place = [], 0
    while place <= len(line):
        match = _FIELD.match(line, place)
        assert match  # the second branch matches nothing at all, too
        found.append(match.group())
        place = match.end() + 1
    return found


def joined(rows: Lines, answers: Lines) -> Lines:
    """E15: each answer's fields after its row's; as many of both."""
    return [b"%b,%b" % pair for pair in zip(rows, answers, strict=True)]


class Chooser:
    """Keeps the fields of lines that a filter selects."""

    def __init__(self, selection: Selection | int, path: str) -> None:
        self._selection: Selection = (selection,) if isinstance(selection, int) else selection
        self._path = path
        self._plain = _plain(self._selection)

    def of(self, rows: Lines, *, quoted: bool) -> Lines:
        """`quoted`: whether there may be quotes in them. Raises InputError for a line that has no
        such field."""
        if self._selection == slice(None):
            return rows
        try:
            if self._plain is not None and not quoted:
                return self._plain(rows)
            return _chosen(map(fields if quoted else _split, rows), self._selection)
        except IndexError:
            raise self._missing(rows) from None

    def _missing(self, rows: Lines) -> InputError:
        assert isinstance(self._selection, tuple)  # a range asks for nothing that isn't there
        for row in rows:
            count = len(fields(row))
            for place in self._selection:
                if not -count <= place < count:
                    return InputError(
                        f"JSONPath {self._path!r}: no place {place} among the {count} fields of "
                        f"{row[:80].decode('utf-8', 'replace')!r}."
                    )
        raise AssertionError(self._path)


def _split(row: bytes) -> list[bytes]:
    return row.split(b",")


def _chosen(rows: Iterable[list[bytes]], selection: Selection) -> Lines:
    if isinstance(selection, slice):
        return [b",".join(row[selection]) for row in rows]
    return [b",".join([row[place] for place in selection]) for row in rows]


def _plain(selection: Selection) -> Callable[[Lines], Lines] | None:
    """The quick way for lines without quotes, where there is one: no more cuts than needed."""
    if isinstance(selection, slice):
        return _plain_range(selection.start or 0, selection.stop)
    if selection == (0,):
        return lambda rows: [row.partition(b",")[0] for row in rows]
    if selection == (-1,):
        return lambda rows: [row.rpartition(b",")[2] for row in rows]
    if selection == (0, -1):
        return lambda rows: [
            b"%b,%b" % (row.partition(b",")[0], row.rpartition(b",")[2]) for row in rows
        ]
    if min(selection) >= 0:
        cuts = max(selection) + 1
        return lambda rows: _chosen((row.split(b",", cuts) for row in rows), selection)
    return None


def _plain_range(start: int, end: int | None) -> Callable[[Lines], Lines] | None:
    if start == 1 and end is None:
        return lambda rows: [row.partition(b",")[2] for row in rows]
    if start >= 0 and end is None:
        return lambda rows: [b"".join(row.split(b",", start)[start:]) for row in rows]
    if end == -1 and start == 0:
        return lambda rows: [row.rpartition(b",")[0] for row in rows]
    if start >= 0 and end is not None and end > 0:
        return lambda rows: _chosen((row.split(b",", end) for row in rows), slice(start, end))
    return None
