"""Pages of a list for the small services: a token is the place of the next row."""

from __future__ import annotations

from typing import Any, TypeVar

Row = TypeVar("Row", bound=Any)


def page(
    rows: list[Row], token: str | None, size: int, wrong: Exception
) -> tuple[list[Row], str | None]:
    """At most `size` rows from `token` (None: the first) on, and the token of the rest, None where
    nothing is left. Raises `wrong` for a token that no page came with."""
    start = int(token) if token and token.isascii() and token.isdigit() and len(token) < 16 else 0
    if token is not None and str(start) != token:
        raise wrong
    end = start + size
    return rows[start:end], str(end) if end < len(rows) else None
