"""What labels and weights may be for each objective, checked before XGBoost sees them.

XGBoost's own messages say that a label is wrong; these say which, and where it stands. Numpy arrays
come in, no numpy is imported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sagedock.errors import TrainingError
from sagedock.runtime.algorithm.log import Log
from sagedock.runtime.algorithm.table import Table


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Labels of objectives that begin with `objective`: `wrong` marks those not accepted."""

    objective: str
    wrong: Callable[[Any], Any]
    expected: str


RULES = (
    Rule(objective="binary:hinge", wrong=lambda y: (y != 0) & (y != 1), expected="0 or 1"),
    Rule(objective="binary:", wrong=lambda y: (y < 0) | (y > 1), expected="0 or 1"),
    Rule(objective="reg:logistic", wrong=lambda y: (y < 0) | (y > 1), expected="from 0 to 1"),
    Rule(objective="count:poisson", wrong=lambda y: y < 0, expected="0 or more"),
    Rule(objective="reg:tweedie", wrong=lambda y: y < 0, expected="0 or more"),
    Rule(objective="reg:gamma", wrong=lambda y: y <= 0, expected="above 0"),
    Rule(objective="reg:squaredlogerror", wrong=lambda y: y <= -1, expected="above -1"),
    Rule(objective="survival:aft", wrong=lambda y: y <= 0, expected="above 0"),
)


def check(table: Table, objective: str, num_class: int | None, log: Log) -> None:
    """Raise TrainingError for the first label or weight that cannot be used."""
    label, weight = table.label, table.weight
    _refuse(table, is_nan(label), "the label is missing", "a number in every row")
    _refuse(table, abs(label) == float("inf"), "the label is {}", "a finite number")
    _check_objective(table, objective, num_class)
    if objective.startswith("binary:"):
        _tell_soft_labels(table, log)
    if weight is not None:
        bad = is_nan(weight) | (weight < 0) | (weight == float("inf"))
        _refuse(table, bad, "the instance weight is {}", "0 or more", values=weight)


def is_nan(values: Any) -> Any:
    """Where a value is not a number: nan alone is not equal to itself."""
    return values != values  # noqa: PLR0124


def _check_objective(table: Table, objective: str, num_class: int | None) -> None:
    if objective.startswith("multi:") and num_class is not None:
        label = table.label
        bad = (label < 0) | (label >= num_class) | (label != label.astype("int64"))
        expected = f"a whole number from 0 to {num_class - 1} (num_class={num_class})"
        _refuse(table, bad, "the label is {}", f"{expected} for objective={objective}")
    for rule in RULES:
        if objective.startswith(rule.objective):
            expected = f"{rule.expected} for objective={objective}"
            _refuse(table, rule.wrong(table.label), "the label is {}", expected)
            return


def _refuse(table: Table, bad: Any, what: str, expected: str, *, values: Any = None) -> None:
    count = int(bad.sum())
    if not count:
        return
    row = int(bad.argmax())
    value = (table.label if values is None else values)[row]
    more = f" ({count} rows in all)" if count > 1 else ""
    raise TrainingError(
        f"{table.where(row)}: {what.format(f'{float(value):g}')}{more}, expected {expected}.",
        hint=_hint(table) if values is None else "With csv_weights=1 column 2 is the weight.",
    )


def _hint(table: Table) -> str:
    start = table.label[: min(table.rows, 1000)]
    if len(start) > 2 and bool((start == range(len(start))).all()):
        return "The first column counts rows: write CSV with to_csv(…, header=False, index=False)."
    return "The label must be the first column."


def _tell_soft_labels(table: Table, log: Log) -> None:
    """XGBoost and the built-in container take probabilities as labels; mostly it is a mistake."""
    soft = (table.label != 0) & (table.label != 1)
    if soft.any():
        row = int(soft.argmax())
        log.warning(
            f"{table.where(row)}: the label is {float(table.label[row]):g}; {int(soft.sum())} "
            "labels are neither 0 nor 1 and are taken as probabilities. Is the label in column 1?"
        )
