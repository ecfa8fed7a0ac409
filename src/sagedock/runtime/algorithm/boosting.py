"""The rounds: one line each, early stopping, and the model. Source: H3.1, H3.3, H4.

Classes that derive from XGBoost's are made inside functions, so that xgboost is imported by the
first call and not with this module.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sagedock.errors import TrainingError
from sagedock.runtime.algorithm import custom_metrics
from sagedock.runtime.algorithm.channels import VALIDATION
from sagedock.runtime.algorithm.hyperparameters import Settings
from sagedock.runtime.algorithm.log import Log
from sagedock.runtime.algorithm.metrics import direction_is_up, printed_name, split_custom

History = Mapping[str, Mapping[str, list[float]]]
"""XGBoost's evaluation log: channel, metric, a value a round."""


def train(
    settings: Settings, params: Mapping[str, Any], matrices: Mapping[str, Any], log: Log
) -> Any:
    """The trained Booster. `matrices` by channel, `train` first.

    Raises TrainingError with XGBoost's own reason, without its stack trace.
    """
    import xgboost

    native, custom = split_custom(settings.metrics or ())
    arguments = dict(params)
    if native:
        arguments["eval_metric"] = native
    elif custom:
        arguments["disable_default_eval_metric"] = True
    with _xgboost_words(log):
        return xgboost.train(
            arguments,
            matrices["train"],
            num_boost_round=settings.num_round,
            evals=[(matrix, name) for name, matrix in matrices.items()],
            custom_metric=custom_metrics.evaluator(custom, settings.objective),
            callbacks=_callbacks(settings, log),
            verbose_eval=False,
        )


def line(round_number: int, history: History) -> str:
    """`[0]\\ttrain-error:0.07000\\tvalidation-error:0.08000`, as XGBoost prints it."""
    scores = [
        f"{channel}-{metric}:{values[-1]:.5f}"
        for channel, metrics in history.items()
        for metric, values in metrics.items()
    ]
    return "\t".join([f"[{round_number}]", *scores])


def _callbacks(settings: Settings, log: Log) -> list[Any]:
    callbacks = [_round_printer()]
    if settings.early_stopping_rounds is not None:
        callbacks.append(_early_stopping(settings, settings.early_stopping_rounds, log))
    return callbacks


def _round_printer() -> Any:
    from xgboost.callback import TrainingCallback

    class RoundPrinter(TrainingCallback):  # type: ignore[misc]
        """Prints one line a round; must not know how training goes."""

        def after_iteration(self, model: Any, epoch: int, evals_log: History) -> bool:
            print(line(epoch, evals_log), flush=True)
            return False

    return RoundPrinter()


def _early_stopping(settings: Settings, rounds: int, log: Log) -> Any:
    from xgboost.callback import EarlyStopping

    power = settings.params.get("tweedie_variance_power", 1.5)
    watched = settings.watched
    sliceable = settings.params.get("booster") != "gblinear"
    if not sliceable:
        log.warning("booster=gblinear keeps no rounds apart: the last one is saved, not the best.")
    return EarlyStopping(
        rounds=rounds,
        data_name=VALIDATION,
        metric_name=watched and printed_name(watched, tweedie_variance_power=power),
        maximize=None if watched is None else direction_is_up(watched),
        save_best=sliceable,
    )


@contextmanager
def _xgboost_words(log: Log) -> Iterator[None]:
    """XGBoost's warnings become log lines, its errors a TrainingError."""
    from xgboost.core import XGBoostError

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, *_, **__: log.warning(plain(str(message)))
        try:
            yield
        except XGBoostError as error:
            raise TrainingError(
                f"XGBoost refused to train: {plain(str(error))}",
                hint="This is XGBoost's own check of the hyperparameters against the data.",
            ) from error


def plain(text: str) -> str:
    """XGBoost's message without time, place in its source and stack trace.

    `[08:00:00] /src/x.cu:114: Check failed: ok: base_score must be …` gives `base_score must be …`.
    """
    first = text.partition("Stack trace:")[0]
    words = " ".join(first.split())
    for start in ("WARNING: ", ".cc:", ".cu:", ".h:", "Check failed: "):
        words = _after(words, start)
    return words


def _after(words: str, start: str) -> str:
    head, found, tail = words.partition(start)
    if not found:
        return words
    if start.startswith("."):
        tail = tail.partition(": ")[2]
    elif start == "Check failed: ":
        reason = tail.partition(": ")[2].strip()
        tail = reason or tail
    return tail or head


def best_words(booster: Any, channels: Iterable[str]) -> str:
    """What early stopping found, as the end of a log line; empty without it."""
    if VALIDATION not in channels:
        return ""
    best = booster.attr("best_iteration")
    return f", best round {best} (score {float(booster.attr('best_score')):.5f})" if best else ""
