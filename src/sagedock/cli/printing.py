"""Text for people and JSON for programs, made of plain values. Pure.

Tables are never cut to the terminal's width: names must survive a copy.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any


def as_text(document: Any) -> str:
    """JSON that any reader takes: times as ISO 8601 in UTC, NaN and infinities as strings, as the
    AWS JSON protocol has them."""
    return json.dumps(_plain(document), indent=2, ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):  # botocore's are in this machine's time zone
        return (value.astimezone(UTC) if value.tzinfo else value).isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def moment(seconds: float | None) -> str:
    """Seconds since the epoch as UTC, `2026-11-24 08:07:01`; `-` for none."""
    if seconds is None:
        return "-"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns as wide as they need to be, two spaces apart."""
    widths = [max(len(line[column]) for line in (head, *rows)) for column in range(len(head))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in (head, *rows)
    ]


def outline(document: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """A document as indented lines, `Key: value`; empty members are left out."""
    width = max((len(key) + 1 for key, value in document.items() if _is_leaf(value)), default=0)
    for key, value in document.items():
        if value in ({}, [], "", None):
            continue
        if _is_leaf(value):
            text = str(_shown(value)).replace("\n", f"\n{indent}{' ' * width} ")
            yield f"{indent}{f'{key}:':<{width}} {text}"
        else:
            yield f"{indent}{key}:"
            yield from _nested(value, f"{indent}  ")


def _nested(value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from outline(value, indent)
        return
    for item in value:
        if not isinstance(item, Mapping):
            yield f"{indent}- {_shown(item)}"
            continue
        first, *rest = list(outline(item, f"{indent}  ")) or [f"{indent}  "]
        yield f"{indent}- {first[len(indent) + 2 :]}"
        yield from rest


def _is_leaf(value: Any) -> bool:
    return not isinstance(value, Mapping | list | tuple)


def _shown(value: Any) -> Any:
    return moment(value.timestamp()) if isinstance(value, datetime) else value
