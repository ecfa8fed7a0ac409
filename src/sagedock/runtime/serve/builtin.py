"""A model served without any code: body to table, predict, answer; single rows joined.

Blocking and thread-safe where it says so; the application decides on which thread what runs. Must
not know HTTP servers.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any, Protocol

from sagedock.runtime.serve import answers, selectable
from sagedock.runtime.serve.answers import Answer
from sagedock.runtime.serve.bodies import CSV, Bodies, kind_of
from sagedock.runtime.serve.csv_rows import Decoder
from sagedock.runtime.serve.problems import Refusal
from sagedock.runtime.serve.settings import Settings

BLOCK_ROWS = 16384
"""A large table is predicted in parts, so that other threads get their turn."""

INLINE_SECONDS = 0.002
"""A single row that takes longer is not predicted on the event loop."""


class Model(Protocol):
    """What a table of numbers can be asked of."""

    kind: str
    columns: int | None
    objective: str

    def predict(self, table: Any) -> Any: ...


class Builtin:
    """Answers requests with a model."""

    def __init__(self, model: Any, settings: Settings) -> None:
        self.model = model
        self._settings = settings
        self._keys = settings.outputs
        if self._keys and model.kind == "xgboost":
            selectable.check(self._keys, model.objective)
        self._bodies = Bodies(model.columns)
        self._rows = Decoder(model.columns)
        self._lock = threading.Lock()
        self.inline = False
        self._negotiated: dict[str, str] = {}

    def warm_up(self) -> None:
        """Predicts as requests will: D3.6, and the libraries' first-time work is done."""
        import numpy as np

        table = np.zeros((1, self.model.columns or 1), np.float32)
        try:
            took = []
            for _ in range(5):
                start = time.perf_counter()
                self.model.predict(table)
                took.append(time.perf_counter() - start)
            # The quickest: a busy machine at the start must not decide for the worker's life.
            self.inline = min(took) < INLINE_SECONDS and self.model.columns is not None
        except Exception:
            if self.model.kind == "xgboost" or self.model.columns is not None:
                raise

    def accepted(self, accept: str) -> str:
        """The type to answer with, remembered: callers send few different headers."""
        found = self._negotiated.get(accept)
        if found is None:
            found = answers.negotiate(accept, self._settings.accept)
            if len(self._negotiated) < 64:
                self._negotiated[accept] = found
        return found

    def agreed(self, content_type: str, accept: str) -> str:
        """`accepted`, for a body whose type is served. Raises Refusal 406 or 415."""
        kind_of(content_type)
        return self.accepted(accept)

    def single(self, body: bytes, content_type: str) -> bytes | None:
        """The row of a CSV body with one plain row; None for all that goes the long way."""
        if content_type not in ("text/csv", "") and kind_of(content_type) != CSV:
            return None
        return None if self._keys else self._rows.single(body)

    def answer(self, body: bytes, content_type: str, accept: str) -> Answer:
        """Any request, on any thread. Raises Refusal."""
        kind = kind_of(content_type)
        chosen = self.accepted(accept)
        with self._lock:
            table = self._bodies.table(body, kind)
            return Answer(content_type=chosen, body=self._encoded(table, chosen))

    def many(self, rows: Sequence[bytes], accepts: Sequence[str]) -> Sequence[bytes | Exception]:
        """Answers to rows that `single` let through, predicted in one call. A row that fails gets
        its own error, and the others theirs as if they had been alone."""
        table = self._rows.joined(rows)
        if table is not None:
            try:
                return self._each(self.model.predict(table), accepts)
            except Exception:
                if len(rows) == 1:
                    raise
        return [self._alone(row, accept) for row, accept in zip(rows, accepts, strict=True)]

    def _alone(self, row: bytes, accept: str) -> bytes | Exception:
        try:
            return self._encoded(self._rows.table(row), accept)
        except Exception as error:
            return error

    def _each(self, predictions: Any, accepts: Sequence[str]) -> Sequence[bytes]:
        if accepts.count(CSV) == len(accepts):
            return answers.csv_lines(predictions)
        return [answers.encode(predictions[i : i + 1], accept) for i, accept in enumerate(accepts)]

    def _encoded(self, table: Any, accept: str) -> bytes:
        if self._keys:
            return answers.dictionaries(self._selected(table), accept)
        return answers.encode(self._predict(table), accept)

    def _selected(self, table: Any) -> list[Any]:
        model = self.model
        if model.kind != "xgboost":
            return list(model.select(self._keys, table))
        margins = model.margin(table) if model.objective == "multi:softmax" else None
        values = model.predict(table)
        return selectable.select(
            self._keys, model.objective, values, values if margins is None else margins
        )

    def _predict(self, table: Any) -> Any:
        """400 for a table that the model refuses, as the built-in container says it (H5.5)."""
        import numpy as np

        rows = table.shape[0]
        parts = [table[at : at + BLOCK_ROWS] for at in range(0, rows, BLOCK_ROWS)]
        try:
            found = [self.model.predict(part) for part in parts]
        except Exception as error:
            words = str(error).strip().splitlines()
            raise Refusal(
                400, f"The model refused the data: {words[0] if words else error!r}"
            ) from error
        return found[0] if len(found) == 1 else np.concatenate(found)
