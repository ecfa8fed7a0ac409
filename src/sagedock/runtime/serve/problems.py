"""What a caller is told: a status code and one JSON document. And what ends the container.

Must not know HTTP servers or models.
"""

from __future__ import annotations

import json
import sys
import traceback
from typing import Any

from sagedock.errors import SagedockError


class ServingError(SagedockError):
    """The server can't start or go on: no model, a model that doesn't load, bad settings."""


class ModelLoadError(ServingError):
    """A model that is there and can't be used."""


class Refusal(Exception):  # noqa: N818  (an answer, not a fault of the program)
    """A request that is answered with a 4xx or 5xx. `facts` go into the JSON body by name."""

    def __init__(self, status: int, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.facts = facts

    def body(self) -> bytes:
        """D3.11: the text that reaches the client as OriginalMessage."""
        return json.dumps({"error": self.message, **self.facts}, ensure_ascii=False).encode()


def bad_value(message: str, *, row: int | None = None, column: int | None = None) -> Refusal:
    """400 for a value; `row` and `column` count from 1 as a person does."""
    facts = {"row": row, "column": column}
    return Refusal(400, message, **{name: at for name, at in facts.items() if at is not None})


def failure(error: BaseException) -> Refusal:
    """500 with the error's message; its traceback goes to the log, not to the caller (D3.11)."""
    sys.stderr.write("".join(traceback.format_exception(error)))  # workers share the log
    sys.stderr.flush()
    words = str(error).strip() or type(error).__name__
    return Refusal(500, words[:1024], type=type(error).__name__)
