"""Predictions to bytes, by what the caller accepts (H5.6). Must not know models."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from sagedock.runtime.serve import recordio
from sagedock.runtime.serve.bodies import CSV, JSON, JSONLINES, NPY, RECORDIO
from sagedock.runtime.serve.problems import Refusal

SUPPORTED = (CSV, JSON, JSONLINES, NPY, RECORDIO)
_WILD = {"*/*": "", "": "", "text/*": CSV, "application/*": JSON}
_ALSO = {"application/jsonl": JSONLINES, "text/plain": CSV, "csv": CSV, "json": JSON}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What goes back: a body, or a stream of its parts."""

    content_type: str
    body: bytes = b""
    stream: AsyncIterator[bytes] | None = None
    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = ()


def negotiate(accept: str, default: str) -> str:
    """The type to answer with. Raises Refusal 406 naming what there is.

    `accept` is the request's header, several types and weights allowed; what accepts anything
    gets `default`, or CSV.
    """
    for name in _by_weight(accept):
        if name in _WILD:
            return _WILD[name] or negotiate(default, "") if default else _WILD[name] or CSV
        found = _ALSO.get(name, name)
        if found in SUPPORTED:
            return found
    raise Refusal(
        406,
        f"Accept {accept.strip()} can't be answered; supported are {', '.join(SUPPORTED)}.",
        supported=list(SUPPORTED),
    )


def _by_weight(accept: str) -> list[str]:
    weighted = []
    for part in accept.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        weight = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        try:
            weighted.append((-float(weight), name))
        except ValueError:
            weighted.append((-1.0, name))
    weighted.sort(key=lambda pair: pair[0])
    return [name for weight, name in weighted if weight]


def encode(predictions: Any, accept: str) -> bytes:
    """Predictions of shape (rows,) or (rows, n), a record a row, no line break at the end (E8)."""
    if accept == CSV:
        return b"\n".join(csv_lines(predictions))
    if accept == NPY:
        return _npy(predictions)
    if accept == RECORDIO:
        return b"".join(recordio.score_record(row) for row in predictions)
    return dictionaries([{"score": value} for value in predictions.tolist()], accept)


def dictionaries(records: Sequence[dict[str, Any]], accept: str) -> bytes:
    """Records with names: JSON, JSON Lines, or CSV with lists in quotes (H5.8)."""
    import orjson

    if accept == JSON:
        return bytes(orjson.dumps({"predictions": records}))
    if accept == JSONLINES:
        return b"\n".join(orjson.dumps(record) for record in records)
    if accept == CSV:
        return b"\n".join(",".join(map(_field, r.values())).encode() for r in records)
    raise Refusal(406, f"Selected outputs can't be written as {accept}; ask for JSON or CSV.")


def _field(value: Any) -> str:
    if isinstance(value, list):
        return f'"[{", ".join(map(str, value))}]"'
    return _quoted(value) if isinstance(value, str) else str(value)


def csv_lines(predictions: Any) -> list[bytes]:
    """One line a row. Numbers in the shortest form that reads back as the same double."""
    import numpy as np

    rows = predictions.tolist()
    if predictions.dtype.kind in "fiu" and np.isfinite(predictions).all():
        import orjson

        text: bytes = orjson.dumps(rows)
        inner = (text[1:-1], b",") if predictions.ndim == 1 else (text[2:-2], b"],[")
        return list(inner[0].split(inner[1]))
    if rows and isinstance(rows[0], list):
        return [",".join(map(_cell, row)).encode() for row in rows]
    return [_cell(row).encode() for row in rows]


def _cell(value: Any) -> str:
    return _quoted(value) if isinstance(value, str) else str(value)


def _quoted(text: str) -> str:
    if any(mark in text for mark in ',"\n\r'):
        return '"' + text.replace('"', '""') + '"'
    return text


def _npy(predictions: Any) -> bytes:
    import numpy as np

    buffer = io.BytesIO()
    np.save(buffer, predictions, allow_pickle=False)
    return buffer.getvalue()
