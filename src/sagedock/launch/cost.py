"""What jobs and endpoints cost: list prices times time, pure.

On demand and in USD; of instances only (no volumes, traffic or taxes). What the table has no price
for is None: no figure is ever made up. Must not know where the table comes from.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from sagedock.aws.prices import PriceTable

_CENT, _FINE = Decimal("0.01"), Decimal("0.0001")


@dataclass(frozen=True, kw_only=True, order=True)
class Money:
    """An amount of USD, exact. As text: cents, below a dollar hundredths of them."""

    usd: Decimal

    def __add__(self, other: Money) -> Money:
        return Money(usd=self.usd + other.usd)

    def __str__(self) -> str:
        return f"${self.rounded():,}"

    def rounded(self) -> Decimal:
        """Half up, to what `str` shows."""
        step = _CENT if self.usd >= 1 else _FINE
        return self.usd.quantize(step, ROUND_HALF_UP)


def estimate(
    table: PriceTable,
    region: str,
    instance_type: str,
    count: int,
    seconds: float,
    *,
    component: str = "Training",
) -> Money | None:
    """What `count` instances cost for `seconds` each; None where the table has no price.

    `component`: Training, Processing, Transform or Hosting. The service bills by the second.
    """
    hourly = table.hourly(region, component, instance_type)
    if hourly is None:
        return None
    return Money(usd=hourly * count * Decimal(str(seconds)) / 3600)


def spot_savings(training_seconds: float, billable_seconds: float) -> float | None:
    """The share (0 to 1) that managed spot training has saved, by the service's own rule:
    1 - BillableTimeInSeconds / TrainingTimeInSeconds. None before there is a time."""
    return 1 - billable_seconds / training_seconds if training_seconds > 0 else None
