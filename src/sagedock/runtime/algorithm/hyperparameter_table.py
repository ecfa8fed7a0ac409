"""The built-in container's hyperparameters as data: name, kind, range. Source: H1, J18.

Rules that look at more than one of them are in `hyperparameter_rules`. Pure.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class Kind(Protocol):
    """How the text of a hyperparameter is read."""

    @property
    def expected(self) -> str:
        """What is accepted, as the end of `expected …`."""

    def read(self, text: str) -> Any:
        """The value. Raises ValueError for text that is not accepted."""


@dataclass(frozen=True, kw_only=True)
class Number:
    """A number in an interval; `low_open` and `high_open` exclude the ends."""

    whole: bool = False
    low: float | None = None
    high: float | None = None
    low_open: bool = False
    high_open: bool = False

    @property
    def expected(self) -> str:
        noun = "a whole number" if self.whole else "a number"
        return f"{noun} {self._interval()}".rstrip()

    def _interval(self) -> str:
        if self.high is None:
            word = "above" if self.low_open else "from"
            return "" if self.low is None else f"{word} {self.low:g}"
        left, right = "(" if self.low_open else "[", ")" if self.high_open else "]"
        low = "-∞" if self.low is None else f"{self.low:.10g}"
        return f"in {left}{low}, {self.high:.10g}{right}"

    def read(self, text: str) -> int | float:
        value = int(text) if self.whole else float(text)
        if not (math.isfinite(value) and self._above(value) and self._below(value)):
            raise ValueError(text)
        return value

    def _above(self, value: float) -> bool:
        return self.low is None or (value > self.low if self.low_open else value >= self.low)

    def _below(self, value: float) -> bool:
        return self.high is None or (value < self.high if self.high_open else value <= self.high)


@dataclass(frozen=True)
class Choice:
    """One of a few words."""

    words: Sequence[str]

    @property
    def expected(self) -> str:
        return "one of " + ", ".join(self.words)

    def read(self, text: str) -> str:
        if text not in self.words:
            raise ValueError(text)
        return text


@dataclass(frozen=True)
class Names:
    """A comma-separated list; which names are accepted is a rule of its own."""

    expected: str

    def read(self, text: str) -> list[str]:
        """At least one name. A JSON or Python list of names is read as well."""
        names = [part.strip().strip("'\"") for part in text.strip("[]() ").split(",")]
        if not all(names):
            raise ValueError(text)
        return list(dict.fromkeys(names))


@dataclass(frozen=True)
class Signs:
    """A tuple of -1, 0 and 1, as `(1,0,-1)`."""

    expected: str = "a tuple of -1, 0 and 1, one per feature, such as (1,0,-1)"

    def read(self, text: str) -> str:
        parts = [part for part in text.strip().strip("()[]").split(",") if part.strip()]
        if not parts or any(int(part) not in (-1, 0, 1) for part in parts):
            raise ValueError(text)
        return "(" + ",".join(str(int(part)) for part in parts) + ")"


@dataclass(frozen=True)
class Groups:
    """A list of lists of feature numbers, as `[[1,2],[3,4]]`."""

    expected: str = "a list of lists of whole numbers from 1, such as [[1,2],[3,4]]"

    def read(self, text: str) -> str:
        groups = json.loads(text)
        if not isinstance(groups, list) or not all(_is_group(group) for group in groups):
            raise ValueError(text)
        return json.dumps(groups)


def _is_group(group: Any) -> bool:
    return isinstance(group, list) and all(type(item) is int and item >= 1 for item in group)


COUNT = Number(whole=True, low=1)
NATURAL = Number(whole=True, low=0)
NOT_NEGATIVE = Number(low=0)
SHARE = Number(low=0, high=1)
POSITIVE_SHARE = Number(low=0, high=1, low_open=True)
BIT = Number(whole=True, low=0, high=1)
FLAG = Choice(("true", "false"))

REQUIRED = ("num_round",)

OBJECTIVES = (
    "aft_loss_distribution",
    "binary:hinge",
    "binary:logistic",
    "binary:logitraw",
    "count:poisson",
    "multi:softmax",
    "multi:softprob",
    "rank:map",
    "rank:ndcg",
    "rank:pairwise",
    "reg:absoluteerror",
    "reg:gamma",
    "reg:linear",
    "reg:logistic",
    "reg:pseudohubererror",
    "reg:squarederror",
    "reg:squaredlogerror",
    "reg:tweedie",
    "survival:aft",
    "survival:cox",
)

TABLE: Mapping[str, Kind] = {
    "_kfold": Number(whole=True, low=2),
    "_num_cv_round": COUNT,
    "aft_loss_distribution": Choice(("normal", "logistic", "extreme")),
    "aft_loss_distribution_scale": NOT_NEGATIVE,
    "alpha": NOT_NEGATIVE,
    "base_score": NOT_NEGATIVE,
    "booster": Choice(("gbtree", "gblinear", "dart")),
    "colsample_bylevel": POSITIVE_SHARE,
    "colsample_bynode": POSITIVE_SHARE,
    "colsample_bytree": POSITIVE_SHARE,
    "csv_weights": BIT,
    "deterministic_histogram": FLAG,
    "dsplit": Choice(("row", "col")),
    "early_stopping_rounds": COUNT,
    "eta": SHARE,
    "eval_metric": Names("a comma-separated list of metrics"),
    "gamma": NOT_NEGATIVE,
    "grow_policy": Choice(("depthwise", "lossguide")),
    "interaction_constraints": Groups(),
    "lambda": NOT_NEGATIVE,
    "lambda_bias": SHARE,
    "max_bin": NATURAL,
    "max_delta_step": NOT_NEGATIVE,
    "max_depth": NATURAL,
    "max_leaves": NATURAL,
    "min_child_weight": NOT_NEGATIVE,
    "monotone_constraints": Signs(),
    "normalize_type": Choice(("tree", "forest")),
    "nthread": COUNT,
    "num_class": Number(whole=True, low=2),
    "num_parallel_tree": COUNT,
    "num_round": COUNT,
    "objective": Choice(OBJECTIVES),
    "one_drop": BIT,
    "predictor": Choice(("auto", "cpu_predictor", "gpu_predictor")),
    "prob_buffer_row": Number(low=1, low_open=True),
    "process_type": Choice(("default", "update")),
    "rate_drop": SHARE,
    "refresh_leaf": BIT,
    "sample_type": Choice(("uniform", "weighted")),
    "sampling_method": Choice(("uniform", "gradient_based")),
    "save_model_on_termination": FLAG,
    "scale_pos_weight": Number(low=0, low_open=True),
    "seed": Number(whole=True, low=-(2**31), high=2**31 - 1, low_open=True, high_open=True),
    "sketch_eps": Number(low=0, high=1, low_open=True, high_open=True),
    "skip_drop": SHARE,
    "subsample": POSITIVE_SHARE,
    "tree_method": Choice(("auto", "exact", "approx", "hist", "gpu_hist")),
    "tweedie_variance_power": Number(low=1, high=2, low_open=True, high_open=True),
    "updater": Names("a comma-separated list of updaters"),
    "use_dask_gpu_training": FLAG,
    "verbosity": Number(whole=True, low=0, high=3),
}

ALIASES: Mapping[str, str] = {
    "learning_rate": "eta",
    "min_split_loss": "gamma",
    "reg_alpha": "alpha",
    "reg_lambda": "lambda",
}

GONE = ("deterministic_histogram", "dsplit", "predictor", "prob_buffer_row", "sketch_eps")
"""Names H1 accepts that XGBoost 3 no longer knows: accepted, told, not passed on."""

OURS = (
    "csv_weights",
    "early_stopping_rounds",
    "eval_metric",
    "num_round",
    "save_model_on_termination",
    "use_dask_gpu_training",
)
"""Names that speak to the container and not to XGBoost's `train(params)`."""
