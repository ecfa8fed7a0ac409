"""Statistics of metric samples, period by period. Pure.

Percentiles are of the values themselves; of values that a program has summed up only those are
known whose least and greatest are the same.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence

from sagedock.server.services.metric_records import Sample

_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,10})?|100)")

Statistic = Callable[[Sequence[Sample]], float | None]


def statistic(name: str) -> Statistic | None:
    """A statistic by its name (Average, p99.9 …); None where there is none of that name."""
    if name in _SIMPLE:
        return _SIMPLE[name]
    match = _PERCENTILE.fullmatch(name)
    if not match:
        return None
    share = float(match.group(1)) / 100
    return lambda samples: percentile(samples, share)


def _number(samples: Sequence[Sample]) -> float:
    return sum(sample.number for sample in samples)


def _total(samples: Sequence[Sample]) -> float:
    return sum(sample.total for sample in samples)


def _average(samples: Sequence[Sample]) -> float | None:
    number = _number(samples)
    return _total(samples) / number if number else None


_SIMPLE: dict[str, Statistic] = {
    "SampleCount": _number,
    "Sum": _total,
    "Average": _average,
    "Minimum": lambda samples: min(sample.least for sample in samples),
    "Maximum": lambda samples: max(sample.greatest for sample in samples),
}


def percentile(samples: Sequence[Sample], share: float) -> float | None:
    """The least value that `share` of all values do not exceed."""
    known = sorted((one for one in samples if one.least == one.greatest), key=lambda one: one.least)
    left = share * sum(sample.number for sample in known)
    for sample in known:
        left -= sample.number
        if left <= 1e-9:
            return sample.least
    return known[-1].least if known else None


def periods(
    samples: Iterable[Sample], start: float, period: int, *, by_unit: bool
) -> dict[tuple[float, str], list[Sample]]:
    """Samples by the begin of their periods, counted from `start`, and their units ("" where those
    are all one)."""
    found: dict[tuple[float, str], list[Sample]] = {}
    for sample in samples:
        begin = start + math.floor((sample.at - start) / period) * period
        found.setdefault((begin, sample.unit if by_unit else ""), []).append(sample)
    return found


def rounded_start(start: float, period: int) -> float:
    """Where the first period begins: at a whole minute, for short periods at a multiple of them."""
    step = 60 if period >= 60 else period
    return math.floor(start / step) * step
