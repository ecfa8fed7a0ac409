"""From hyperparameters.json's text to settings for a training run: H1 with its checks. Pure.

Differences from the built-in container, both told in the log: JSON-quoted values (A2.1b, sdk#5317)
and the old `silent` are accepted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from sagedock.contract.hyperparameters import TUNING_OBJECTIVE, is_reserved, strip_quotes
from sagedock.errors import TrainingError
from sagedock.runtime.algorithm import metrics
from sagedock.runtime.algorithm.hyperparameter_rules import RULES, check_metric, refused
from sagedock.runtime.algorithm.hyperparameter_table import ALIASES, GONE, OURS, REQUIRED, TABLE

SILENT = "silent"
DEFAULT_OBJECTIVE = "reg:squarederror"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Checked hyperparameters. `params` is what `xgboost.train` takes, without metrics.

    `metrics` are named by the user or follow from the objective; None leaves them to XGBoost.
    `watched` is the metric that early stopping follows, None for the last one printed.
    """

    num_round: int
    params: Mapping[str, Any]
    objective: str
    metrics: tuple[str, ...] | None
    watched: str | None
    early_stopping_rounds: int | None
    csv_weights: bool
    warnings: tuple[str, ...]

    @property
    def num_class(self) -> int | None:
        value: int | None = self.params.get("num_class")
        return value


def read(document: Mapping[str, Any]) -> Settings:
    """Settings of `document`, the content of hyperparameters.json.

    Raises TrainingError, naming the hyperparameter, the value found and what is accepted.
    """
    warnings: list[str] = []
    texts = _plain_texts(document, warnings)
    tuned = _tuning_metric(texts)
    texts = _without_silent(_own(texts), warnings)
    values = _values(_canonical(texts))
    _require(values)
    for rule in RULES:
        rule(values)
    if tuned is not None:
        check_metric(TUNING_OBJECTIVE, tuned, values.get("objective") or DEFAULT_OBJECTIVE)
    return _settings(values, tuned, warnings)


def _plain_texts(document: Mapping[str, Any], warnings: list[str]) -> dict[str, str]:
    texts, quoted = {}, []
    for name, value in document.items():
        text, was_quoted = strip_quotes(value if isinstance(value, str) else json.dumps(value))
        texts[name] = text.strip()
        if was_quoted and not is_reserved(name):
            quoted.append(name)
    if quoted:
        warnings.append(
            f"Values of {', '.join(sorted(quoted))} carry JSON quotes: taken without them. "
            "The built-in container of today refuses quoted values."
        )
    return texts


def _own(texts: Mapping[str, str]) -> dict[str, str]:
    """Without the names of toolkits and tuner, which must pass (A2.1d, F2)."""
    return {name: text for name, text in texts.items() if not is_reserved(name)}


def _tuning_metric(texts: Mapping[str, str]) -> str | None:
    text = texts.get(TUNING_OBJECTIVE)
    if text is None:
        return None
    channel, _, metric = text.partition(":")
    if channel != metrics.TUNED_CHANNEL or metric not in metrics.ALL:
        raise refused(
            TUNING_OBJECTIVE,
            text,
            f"expected '{metrics.TUNED_CHANNEL}:' and a metric, one of "
            + ", ".join(sorted(metrics.ALL))
            + ".",
        )
    return metric


def _without_silent(texts: Mapping[str, str], warnings: list[str]) -> dict[str, str]:
    """`silent` became `verbosity` in 2019; notebooks of that time still carry it."""
    rest = dict(texts)
    silent = rest.pop(SILENT, None)
    if silent is None:
        return rest
    if silent.lower() not in ("0", "1", "true", "false"):
        raise refused(SILENT, silent, "expected 0 or 1.", "Better: leave it out, set verbosity.")
    if silent.lower() in ("1", "true"):
        rest.setdefault("verbosity", "0")
    warnings.append(
        f"silent={silent} is accepted, but XGBoost no longer has it and the built-in container of "
        "today refuses it: use verbosity (0 to 3)."
    )
    return rest


def _canonical(texts: Mapping[str, str]) -> dict[str, str]:
    """Aliases replaced by the names of the table."""
    result: dict[str, str] = {}
    for name, text in texts.items():
        real = ALIASES.get(name, name)
        if real in result:
            names = sorted(other for other in texts if ALIASES.get(other, other) == real)
            raise TrainingError(
                f"Hyperparameter '{real}' is given twice, also under its other name.",
                hint=f"Keep one of {', '.join(names)}.",
            )
        result[real] = text
    return result


def _values(texts: Mapping[str, str]) -> dict[str, Any]:
    for name in texts:
        if name not in TABLE:
            raise _unknown(name, texts[name])
    return {name: _value(name, text) for name, text in texts.items()}


def _unknown(name: str, text: str) -> TrainingError:
    known = [*TABLE, *ALIASES]
    close = get_close_matches(name, known, n=1, cutoff=0.6)
    return TrainingError(
        f"Unknown hyperparameter '{name}' (value {text!r}).",
        hint=f"Did you mean '{close[0]}'?" if close else "Known: " + ", ".join(sorted(known)) + ".",
    )


def _value(name: str, text: str) -> Any:
    kind = TABLE[name]
    try:
        return kind.read(text)
    except (ValueError, OverflowError):
        close = get_close_matches(text, getattr(kind, "words", ()), n=1)
        raise refused(
            name, text, f"expected {kind.expected}.", f"Did you mean '{close[0]}'?" if close else ""
        ) from None


def _require(values: Mapping[str, Any]) -> None:
    for name in REQUIRED:
        if name not in values:
            raise TrainingError(
                f"Required hyperparameter '{name}' is missing: expected {TABLE[name].expected}.",
                hint=f"Add it, for example hyperparameters={{'{name}': 100}}.",
            )


def _settings(values: dict[str, Any], tuned: str | None, warnings: list[str]) -> Settings:
    objective = _objective(values, warnings)
    dropped = sorted(name for name in GONE if name in values)
    if dropped:
        warnings.append(f"XGBoost 3 no longer has {', '.join(dropped)}: no effect.")
    params = {n: v for n, v in values.items() if n not in OURS and n not in GONE}
    if "updater" in params:
        params["updater"] = ",".join(params["updater"])
    named = values.get("eval_metric")
    chosen = tuple(named) if named else metrics.DEFAULTS.get(objective)
    return Settings(
        num_round=values["num_round"],
        params={**params, "objective": objective},
        objective=objective,
        metrics=_with_tuned(chosen, tuned),
        watched=tuned or (chosen[-1] if chosen else None),
        early_stopping_rounds=values.get("early_stopping_rounds"),
        csv_weights=bool(values.get("csv_weights", 0)),
        warnings=tuple(warnings),
    )


def _objective(values: Mapping[str, Any], warnings: list[str]) -> str:
    objective: str = values.get("objective", DEFAULT_OBJECTIVE)
    if objective != "reg:linear":
        return objective
    warnings.append("objective=reg:linear was renamed: taken as reg:squarederror.")
    return DEFAULT_OBJECTIVE


def _with_tuned(chosen: tuple[str, ...] | None, tuned: str | None) -> tuple[str, ...] | None:
    """The tuner's metric goes last: `(\\S+)` finds no number where more follows in the line."""
    if tuned is None:
        return chosen
    return (*(name for name in chosen or () if name != tuned), tuned)
