"""Rules of H1 that look at several hyperparameters, and what this version refuses. Pure.

Each rule takes the values read so far and raises TrainingError; `RULES` is the order they run in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

from sagedock.errors import TrainingError
from sagedock.runtime.algorithm import metrics

Values = Mapping[str, Any]

TREE_GROWERS = ("grow_colmaker", "grow_histmaker", "grow_quantile_histmaker")
TREE_HELPERS = ("sync", "refresh", "prune")
GONE_UPDATERS = ("distcol", "grow_local_histmaker", "grow_skmaker")
LINEAR_UPDATERS = ("shotgun", "coord_descent")
REFRESHERS = ("refresh", "prune")


def refused(name: str, value: Any, why: str, hint: str = "") -> TrainingError:
    """The error of a hyperparameter that is well formed but cannot be used."""
    return TrainingError(f"Hyperparameter '{name}' is {value!r}: {why}", hint=hint)


def _later(values: Values) -> None:
    """Parts of the built-in container that are not built yet are refused, never ignored."""
    for name, idle in (
        ("_kfold", None),
        ("_num_cv_round", None),
        ("save_model_on_termination", "false"),
        ("use_dask_gpu_training", "false"),
    ):
        value = values.get(name)
        if value not in (None, idle):
            raise refused(
                name,
                value,
                "this version of sagedock does not support it yet.",
                f"Leave '{name}' out to train here; the job was not started without it.",
            )


def _cpu_only(values: Values) -> None:
    for name, instead in (("tree_method", "hist"), ("predictor", "auto")):
        value = values.get(name, "")
        if value.startswith("gpu_"):
            raise refused(name, value, "there is no GPU in this image.", f"Use {name}={instead}.")


def _objective(values: Values) -> None:
    objective, classes = values.get("objective"), values.get("num_class")
    if objective == "aft_loss_distribution":
        raise refused(
            "objective",
            objective,
            "the built-in container lists it, but XGBoost has no such one.",
            "Use objective=survival:aft and set aft_loss_distribution beside it.",
        )
    multi = (objective or "").startswith("multi:")
    if multi and classes is None:
        raise TrainingError(
            f"Hyperparameter 'num_class' is missing: objective={objective} needs it.",
            hint="Set num_class to the number of classes; labels are 0 to num_class - 1.",
        )
    if classes is not None and not multi:
        raise refused(
            "num_class",
            classes,
            f"it is for multi:softmax and multi:softprob, and the objective is "
            f"{objective or 'reg:squarederror (the default)'}.",
            "Leave num_class out, or choose a multi: objective.",
        )


def _base_score(values: Values) -> None:
    objective, score = values.get("objective"), values.get("base_score")
    logistic = objective in ("binary:logistic", "reg:logistic", "binary:logitraw")
    if score is not None and logistic and not 0 < score < 1:
        raise refused("base_score", score, f"objective={objective} expects a number in (0, 1).")


def _max_bin(values: Values) -> None:
    if values.get("max_bin", 2) < 2:
        raise refused("max_bin", values["max_bin"], "XGBoost expects at least 2 bins.")


def _updater(values: Values) -> None:
    names = values.get("updater")
    if names is None:
        return
    text = ",".join(names)
    if values.get("booster") == "gblinear":
        if len(names) != 1 or names[0] not in LINEAR_UPDATERS:
            raise refused(
                "updater", text, "booster=gblinear expects exactly one of shotgun, coord_descent."
            )
    elif values.get("process_type") == "update":
        if not set(names) <= set(REFRESHERS):
            raise refused("updater", text, "process_type=update expects only refresh and prune.")
    else:
        _tree_updaters(names, text)


def _tree_updaters(names: list[str], text: str) -> None:
    gone = [name for name in names if name in GONE_UPDATERS]
    if gone:
        raise refused(
            "updater",
            text,
            f"XGBoost 3 no longer has '{gone[0]}'.",
            "Use tree_method=hist, or one of " + ", ".join(TREE_GROWERS) + ".",
        )
    unknown = [name for name in names if name not in TREE_GROWERS + TREE_HELPERS]
    if unknown:
        raise refused(
            "updater",
            text,
            f"'{unknown[0]}' is not an updater of trees: expected names of "
            + ", ".join(TREE_GROWERS + TREE_HELPERS)
            + ".",
        )
    if sum(name in TREE_GROWERS for name in names) > 1:
        raise refused("updater", text, "expected at most one of " + ", ".join(TREE_GROWERS) + ".")


def _constraints(values: Values) -> None:
    method = values.get("tree_method", "not set")
    for name, methods in (
        ("monotone_constraints", ("exact", "hist")),
        ("interaction_constraints", ("exact", "hist", "approx")),
    ):
        if name in values and method not in methods:
            raise refused(
                name,
                values[name],
                f"it needs tree_method to be one of {', '.join(methods)}; tree_method is {method}.",
                "Set tree_method=hist.",
            )


def _eval_metric(values: Values) -> None:
    for metric in values.get("eval_metric", ()):
        check_metric("eval_metric", metric, values.get("objective") or "reg:squarederror")


def check_metric(name: str, metric: str, objective: str) -> None:
    """Raise unless `metric` exists, is well formed and has a meaning for `objective`."""
    base, at, threshold = metric.partition("@")
    if base not in metrics.ALL:
        close = get_close_matches(base, sorted(metrics.ALL), n=1)
        raise refused(
            name,
            metric,
            "there is no such metric.",
            f"Did you mean '{close[0]}'?"
            if close
            else "Expected one of " + ", ".join(sorted(metrics.ALL)) + ".",
        )
    if at:
        _check_threshold(name, metric, base, threshold)
    allowed = metrics.allowed_objectives(base)
    if allowed and not objective.startswith(allowed):
        kinds = ", ".join(one + "*" if one.endswith(":") else one for one in allowed)
        raise refused(
            name, metric, f"it is for objectives {kinds}, and the objective is {objective}."
        )


def _check_threshold(name: str, metric: str, base: str, threshold: str) -> None:
    if base not in metrics.WITH_THRESHOLD:
        raise refused(
            name, metric, "only " + ", ".join(metrics.WITH_THRESHOLD) + " take a number after '@'."
        )
    try:
        float(threshold)
    except ValueError:
        raise refused(name, metric, f"expected a number after '{base}@'.") from None


RULES: tuple[Callable[[Values], None], ...] = (
    _later,
    _cpu_only,
    _objective,
    _base_score,
    _max_bin,
    _updater,
    _constraints,
    _eval_metric,
)
