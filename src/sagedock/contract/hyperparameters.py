"""Hyperparameters on their way from a caller's value to a script's argument.

The API carries text only (A2.1a). Toolkits pass each text through `json.loads` (B1.3), so text
that looks like JSON arrives changed: `"1e5"` becomes `100000.0`, `"true"` becomes `True`. Values
are therefore encoded once, here, so that a script gets what the caller wrote.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sagedock.errors import UsageError

RESERVED_PREFIX = "sagemaker_"
"""A2.1d: names that belong to toolkits."""

PROGRAM = "sagemaker_program"
"""B4: names the script of script mode."""

TUNING_OBJECTIVE = "_tuning_objective_metric"
"""F2: added by the tuner, counts as a hyperparameter, is not one."""

_TOOLKIT_NAMES = frozenset({TUNING_OBJECTIVE, "default_user_module_name"})


def is_reserved(name: str) -> bool:
    """Whether `name` speaks to a toolkit or tuner rather than to the user's program (A2.1d, B4)."""
    return name.startswith(RESERVED_PREFIX) or name in _TOOLKIT_NAMES


def user_hyperparameters(values: Mapping[str, str]) -> dict[str, str]:
    """The hyperparameters that are the user's own."""
    return {name: text for name, text in values.items() if not is_reserved(name)}


def decode(text: str) -> Any:
    """What a toolkit makes of a hyperparameter's text: its JSON value, else the text (B1.3)."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # hundreds of opening brackets are text too
        return text


def argument(value: Any) -> str:
    """A decoded value as script argument (B3): None is empty, a mapping is `k=v,…`, sorted."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return ",".join(f"{key}={item}" for key, item in sorted(value.items()))
    return str(value)


def encode(values: Mapping[str, Any], *, script_mode: bool) -> dict[str, str]:
    """Hyperparameters as a request carries them: text to text (A2.1a).

    `script_mode` says that a toolkit will decode them (B1.3); without it the image reads the text
    itself, as the built-in algorithms do, and quotes would be an error there (H1).

    Raises UsageError for a value that has no JSON form.
    """
    return {str(name): _one(name, value, script_mode) for name, value in values.items()}


def _one(name: str, value: Any, script_mode: bool) -> str:
    """JSON, but text stays bare where bare text arrives unchanged: it then suits every image."""
    if isinstance(value, str) and (not script_mode or _survives_bare(value)):
        return value
    try:
        return json.dumps(value)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"Hyperparameter {name!r} is of type {type(value).__name__}, which JSON can't hold "
            f"({error}).",
            hint="Give text, a number, True, False, None, or lists and dictionaries of these.",
        ) from error


def _survives_bare(text: str) -> bool:
    try:
        decoded = json.loads(text)
    except ValueError:
        return "\n" not in text  # the API refuses line breaks (A2.1a); JSON writes them as \n
    except RecursionError:  # the toolkit must not fall over it
        return False
    return isinstance(decoded, str | int | float) and str(decoded) == text


def strip_quotes(text: str) -> tuple[str, bool]:
    """Text without the JSON quotes an SDK may have put around it, and whether there were any.

    `'"0.2"'` and `'0.2'` both give `0.2` (A2.1b).
    """
    if not text.startswith('"'):
        return text, False
    try:
        decoded = json.loads(text)
    except ValueError:
        return text, False
    return str(decoded), True
