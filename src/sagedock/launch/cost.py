"""What jobs and endpoints cost: list prices times time, pure.

On demand and in USD; of instances only (no volumes, traffic or taxes). What the table has no price
for is None: no figure is ever made up. Must not know where the table comes from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

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


@dataclass(frozen=True, kw_only=True)
class Bill:
    """What a job has cost so far, at the table's prices. `cost` is None where `lacking` names
    instance types without a price; `limit` is what it costs if it runs for as long as it may."""

    instances: tuple[tuple[str, int], ...]
    seconds: float
    cost: Money | None
    limit: Money | None
    lacking: tuple[str, ...]
    published: tuple[str, ...]
    saved: float | None
    component: str


def of_job(
    kind: str, document: Mapping[str, Any], table: PriceTable, region: str, now: datetime
) -> Bill | None:
    """The bill of a job as DescribeTrainingJob or its siblings describe it; None where it has no
    instances of its own (serverless jobs).

    A training job is billed for BillableTimeInSeconds (managed spot training: less than it took),
    and for a warm pool's ResourceRetainedBillableTimeInSeconds. Others, and one that runs still,
    for the time since their start.
    """
    component = kind.capitalize()
    instances = _instances(kind, document)
    if not instances:
        return None
    seconds = _seconds(component, document, now)
    longest = document.get("StoppingCondition", {}).get("MaxRuntimeInSeconds")
    known = [(name, table.sheet(region, component, name)) for name, _ in instances]
    trained, billed = (document.get(key, 0) for key in _TIMES)
    return Bill(
        instances=instances,
        seconds=seconds,
        cost=_sum(table, region, component, instances, seconds),
        limit=_sum(table, region, component, instances, longest) if longest else None,
        lacking=tuple(name for name, sheet in known if sheet is None),
        published=tuple(sorted({sheet.published for _, sheet in known if sheet})),
        saved=spot_savings(trained, billed) if document.get("EnableManagedSpotTraining") else None,
        component=component,
    )


_TIMES = ("TrainingTimeInSeconds", "BillableTimeInSeconds")


def _instances(kind: str, document: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
    place = {
        "training": ("ResourceConfig",),
        "processing": ("ProcessingResources", "ClusterConfig"),
        "transform": ("TransformResources",),
    }[kind]
    found: Mapping[str, Any] = document
    for name in place:
        found = found.get(name, {})
    groups = found.get("InstanceGroups") or [found]
    return tuple(
        (item["InstanceType"], item.get("InstanceCount", 1))
        for item in groups
        if "InstanceType" in item
    )


def _seconds(component: str, document: Mapping[str, Any], now: datetime) -> float:
    pool = document.get("WarmPoolStatus", {}).get("ResourceRetainedBillableTimeInSeconds", 0)
    if _TIMES[1] in document:
        return float(document[_TIMES[1]] + pool)
    start = document.get(f"{component}StartTime")
    end = document.get(f"{component}EndTime") or now
    return max(0.0, (end - start).total_seconds()) + pool if start else float(pool)


def _sum(
    table: PriceTable, region: str, component: str, instances: tuple[tuple[str, int], ...],
    seconds: float,
) -> Money | None:  # fmt: skip
    total = Money(usd=Decimal(0))
    for name, count in instances:
        part = estimate(table, region, name, count, seconds, component=component)
        if part is None:
            return None
        total += part
    return total


@dataclass(frozen=True, kw_only=True)
class Rate:
    """What an endpoint costs an hour as it is now. `hourly` is None where `lacking` says why."""

    instances: tuple[tuple[str, int], ...]
    hourly: Money | None
    lacking: tuple[str, ...]
    published: tuple[str, ...]


def of_endpoint(
    document: Mapping[str, Any], config: Mapping[str, Any], table: PriceTable, region: str
) -> Rate | None:
    """The rate of an endpoint, by DescribeEndpoint's and DescribeEndpointConfig's answers; None
    where it has no instances (serverless: paid for by the request)."""
    types = {
        item["VariantName"]: item["InstanceType"]
        for item in config.get("ProductionVariants", ())
        if "InstanceType" in item
    }
    instances = tuple(
        (types[item["VariantName"]], item.get("CurrentInstanceCount", 0))
        for item in document.get("ProductionVariants", ())
        if item["VariantName"] in types
    )
    if not instances:
        return None
    asynchronous = "AsyncInferenceConfig" in config  # has prices of its own
    known = [(name, None if asynchronous else table.sheet(region, "Hosting", name))
             for name, _ in instances]  # fmt: skip
    lacking = tuple(name for name, sheet in known if sheet is None)
    hourly = None if lacking else _sum(table, region, "Hosting", instances, 3600)
    published = tuple(sorted({sheet.published for _, sheet in known if sheet}))
    return Rate(instances=instances, hourly=hourly, lacking=lacking, published=published)
