"""docs/mapping.md as names: which the page says that an SDK has."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "mapping.md"
COLUMNS = ("SDK v2", "SDK v3", "sagedock")
_SPAN = re.compile(r"`([^`]+)`")
_NAME = re.compile(r"[A-Z]\w*(\.\w+)*(\(\w+=\))?")


@dataclass(frozen=True)
class Column:
    """What the page says of one SDK: where names are from, and the names."""

    places: dict[str, str]
    names: list[str]


def tables() -> Iterator[list[dict[str, str]]]:
    """The page's tables as rows by column."""
    for block in re.findall(r"(?:^\|.*\n)+", PAGE.read_text("utf-8"), re.M):
        head, _, *rows = [_cells(line) for line in block.splitlines()]
        yield [dict(zip(head, row, strict=True)) for row in rows]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def column(title: str) -> Column:
    """Of `SDK v2`, `SDK v3` or `sagedock`."""
    origins, *rest = tables()
    places = {
        name: _SPAN.findall(row[title])[0]
        for row in origins
        if row[title]
        for name in _SPAN.findall(row["name"])
    }
    spans = [span for table in rest for row in table for span in _SPAN.findall(row[title])]
    return Column(places, list(dict.fromkeys(span for span in spans if _NAME.fullmatch(span))))


def request_members() -> Iterator[tuple[str, str]]:
    """Operation and path of each member that the last columns name in full."""
    for table in tables():
        operation = list(table[0])[-1]
        if operation.startswith("Create"):
            for row in table:
                for span in _SPAN.findall(row[operation]):
                    if not span.startswith("…"):
                        yield operation, span
