"""Selectable inference (H5.8): which facts about a prediction the caller asked for.

Pure: raw predictions and margins in, one dictionary a row out. What a model can't tell is NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sagedock.runtime.serve.problems import ServingError

_NUMBER = frozenset((
    "reg:squarederror", "reg:logistic", "reg:gamma", "reg:absoluteerror", "reg:tweedie",
))  # fmt: skip
_PROBABLE = frozenset(("binary:logistic", "multi:softprob"))
_LABELLED = frozenset(("binary:logitraw", "binary:hinge", "multi:softmax"))
_LABEL_KEYS = ("predicted_label", "labels", "raw_score", "raw_scores")
_PROBABLE_KEYS = (*_LABEL_KEYS, "probability", "probabilities")
KEYS = ("predicted_score", *_PROBABLE_KEYS)


def allowed(objective: str) -> tuple[str, ...]:
    """The keys this objective has values for; none for an objective that isn't selectable."""
    if objective in _NUMBER:
        return ("predicted_score",)
    if objective in _PROBABLE:
        return _PROBABLE_KEYS
    return _LABEL_KEYS if objective in _LABELLED else ()


def check(keys: Sequence[str], objective: str) -> None:
    """Raises ServingError for an objective without selectable inference, or an unknown key."""
    if keys and not allowed(objective):
        raise ServingError(
            f"SAGEMAKER_INFERENCE_OUTPUT is set, and the model's objective {objective} has no "
            "selectable outputs.",
            hint=f"Objectives that have: {', '.join(sorted(_NUMBER | _PROBABLE | _LABELLED))}.",
        )


def select(keys: Sequence[str], objective: str, predictions: Any, margins: Any) -> list[Any]:
    """One dictionary a row, with `keys` in their order."""
    usable = frozenset(allowed(objective))
    rows = zip(predictions.tolist(), margins.tolist(), strict=True)
    return [_row(keys, usable, objective, value, margin) for value, margin in rows]


def _row(
    keys: Sequence[str], usable: frozenset[str], objective: str, value: Any, margin: Any
) -> dict[str, Any]:
    facts = _facts(objective, value, margin)
    return {key: facts.get(key) if key in usable else float("nan") for key in keys}


def _facts(objective: str, value: Any, margin: Any) -> dict[str, Any]:
    if objective in _NUMBER:
        return {"predicted_score": value}
    if objective == "multi:softprob":
        best = max(range(len(value)), key=value.__getitem__)
        return {
            "predicted_label": best, "labels": list(range(len(value))),
            "raw_score": value[best], "raw_scores": value,
            "probability": value[best], "probabilities": value,
        }  # fmt: skip
    if objective == "multi:softmax":
        return {
            "predicted_label": int(value), "labels": list(range(len(margin))),
            "raw_score": margin[int(value)], "raw_scores": margin,
        }  # fmt: skip
    return _binary(objective, value)


def _binary(objective: str, value: float) -> dict[str, Any]:
    """A probability, a margin (`logitraw`), or a label (`hinge`)."""
    label = int(value > (0.0 if objective == "binary:logitraw" else 0.5))
    facts: dict[str, Any] = {"predicted_label": label, "labels": [0, 1], "raw_score": value}
    facts["raw_scores"] = [1 - value, value]
    if objective == "binary:logistic":
        facts |= {"probability": value, "probabilities": [1 - value, value]}
    return facts
