"""What a job costs, in words: before it, while it runs, and when it has ended.

List prices of instances on demand; where a price is not known nothing is said. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sagedock.aws.prices import PriceTable
from sagedock.contract.processing import max_seconds
from sagedock.launch.aws.seen import resources
from sagedock.launch.cost import estimate, of_job
from sagedock.local.records import Kind

_HOUR = 3600.0


@dataclass(frozen=True, kw_only=True)
class Expenses:
    """Prices of a region, put to jobs."""

    table: PriceTable
    region: str

    def beforehand(self, kind: Kind, request: Mapping[str, Any]) -> str:
        """What an hour costs, and all the time that the job may take; empty without a price."""
        kept = resources(kind, request)
        name, count = kept.get("InstanceType", ""), kept.get("InstanceCount", 1)
        component = kind.capitalize()

        def price(seconds: float) -> object:
            return estimate(self.table, self.region, name, count, seconds, component=component)

        if price(_HOUR) is None:
            return ""
        text = f"Price: {price(_HOUR)} an hour ({count} x {name})"
        if kind is Kind.TRANSFORM:  # it has no limit of time
            return text
        seconds = max_seconds(request)
        return f"{text}, {price(seconds)} at most ({_time(seconds)})"

    def so_far(self, kind: Kind, answer: Mapping[str, Any]) -> str:
        """What a described job has cost; empty before its start and without a price."""
        bill = of_job(kind, answer, self.table, self.region, datetime.now(UTC))
        if bill is None or bill.cost is None or not bill.seconds:
            return ""
        if answer.get(f"{kind.capitalize()}EndTime") is None:
            return f"{bill.cost} so far"
        text = f"{bill.cost} ({bill.seconds:.0f} s billable)"
        return f"{text}, spot saved {bill.saved:.0%}" if bill.saved else text


def _time(seconds: int) -> str:
    """`24 h`, `10 min`, `90 s`: without a rest."""
    for unit, step in (("h", 3600), ("min", 60)):
        if seconds % step == 0:
            return f"{seconds // step} {unit}"
    return f"{seconds} s"
