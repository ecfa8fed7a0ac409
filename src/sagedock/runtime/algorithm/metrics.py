"""Metrics of the built-in container by name: direction, where they may be used, how they print.

Source: H4 and H1 (`eval_metric`). Pure; how the custom ones are computed is in `custom_metrics`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

TUNED_CHANNEL = "validation"

MAXIMISE = frozenset(
    (
        "accuracy",
        "auc",
        "aucpr",
        "balanced_accuracy",
        "f1",
        "f1_binary",
        "f1_macro",
        "map",
        "ndcg",
        "precision",
        "precision_macro",
        "precision_micro",
        "r2",
        "recall",
        "recall_macro",
        "recall_micro",
    )
)

MINIMISE = frozenset(
    (
        "aft-nloglik",
        "cox-nloglik",
        "error",
        "gamma-deviance",
        "gamma-nloglik",
        "interval-regression-accuracy",
        "logloss",
        "mae",
        "mape",
        "merror",
        "mlogloss",
        "mphe",
        "mse",
        "poisson-nloglik",
        "rmse",
        "rmsle",
        "tweedie-nloglik",
    )
)

ALL = MAXIMISE | MINIMISE

WITH_THRESHOLD = ("error", "ndcg", "map")
"""Metrics that take `@t` or `@n`."""

BINARY = ("binary:",)
CLASSES = ("binary:", "multi:")

CUSTOM: Mapping[str, tuple[str, ...]] = {
    "accuracy": CLASSES,
    "balanced_accuracy": CLASSES,
    "f1": CLASSES,
    "f1_binary": BINARY,
    "f1_macro": CLASSES,
    "mse": ("binary:", "reg:", "count:"),
    "precision": BINARY,
    "precision_macro": CLASSES,
    "precision_micro": CLASSES,
    "r2": ("binary:", "reg:", "count:"),
    "recall": BINARY,
    "recall_macro": CLASSES,
    "recall_micro": CLASSES,
}
"""Metrics XGBoost does not know, with the beginnings of the objectives they have a meaning for."""

NATIVE: Mapping[str, tuple[str, ...]] = {
    "auc": ("binary:", "rank:"),
    "aft-nloglik": ("survival:aft",),
}
"""XGBoost's own metrics that H1 restricts to some objectives."""

DEFAULTS: Mapping[str, tuple[str, ...]] = {"binary:logistic": ("error",)}
"""Metrics of objectives for which XGBoost's own default is not taken.

binary:logistic printed `train-error` and `validation-error` until XGBoost 1.3 made logloss the
default; the regular expressions and the curves of most notebooks are written for error. Only one
metric is printed, since `validation-error:(\\S+)` finds no number where `#011` and more follow.
"""


def direction_is_up(metric: str) -> bool:
    """Whether larger is better. `metric` may carry a threshold (`ndcg@10`)."""
    return metric.partition("@")[0] in MAXIMISE


def allowed_objectives(metric: str) -> tuple[str, ...] | None:
    """Beginnings of objectives `metric` may be used with; None where there is no restriction."""
    return CUSTOM.get(metric) or NATIVE.get(metric)


def split_custom(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """XGBoost's own metrics and the custom ones, each in the given order."""
    listed = list(names)
    return [n for n in listed if n not in CUSTOM], [n for n in listed if n in CUSTOM]


def printed_name(metric: str, *, tweedie_variance_power: float = 1.5) -> str:
    """The name XGBoost prints for `metric`: it rewrites thresholds and adds tweedie's power."""
    name, _, threshold = metric.partition("@")
    if name == "tweedie-nloglik":
        return f"{name}@{tweedie_variance_power:g}"
    if name == "error" and threshold:
        return name if float(threshold) == 0.5 else f"{name}@{float(threshold):g}"
    return metric
