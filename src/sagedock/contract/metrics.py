"""Metric definitions: regular expressions over log lines, the first group a number (A7.2).

The service's matcher sees a TAB as `#011` (A7.3), so definitions are tried against both forms.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class MetricDefinition:
    """One `{"Name": …, "Regex": …}` of AlgorithmSpecification.MetricDefinitions."""

    name: str
    regex: str


@dataclass(frozen=True, kw_only=True)
class MetricValue:
    """One number found in the log; `timestamp` in seconds since the epoch."""

    name: str
    value: float
    timestamp: float


class MetricScanner:
    """Finds metric values in log lines, one line at a time, and remembers the last of each."""

    def __init__(self, definitions: Iterable[MetricDefinition]) -> None:
        self._patterns = [(d.name, re.compile(d.regex)) for d in definitions]
        self._last: dict[str, MetricValue] = {}

    def feed(self, line: str, timestamp: float) -> list[MetricValue]:
        """Values found in `line`. Text that is not a number is no value."""
        forms = (line.replace("\t", "#011"), line) if "\t" in line else (line,)
        found = [
            MetricValue(name=name, value=value, timestamp=timestamp)
            for name, pattern in self._patterns
            if (value := _first_number(pattern, forms)) is not None
        ]
        self._last.update({item.name: item for item in found})
        return found

    def final(self) -> list[MetricValue]:
        """The last value of each metric, as DescribeTrainingJob's FinalMetricDataList has it."""
        return list(self._last.values())


def _first_number(pattern: re.Pattern[str], forms: Iterable[str]) -> float | None:
    for form in forms:
        match = pattern.search(form)
        if match and pattern.groups:
            return _number(match.group(1))
    return None


def _number(text: str | None) -> float | None:
    """A capture as number. `(\\S+)`, the built-in images' own, runs on over a TAB's `#011`."""
    try:
        return float(text.partition("#011")[0]) if text is not None else None
    except ValueError:
        return None
