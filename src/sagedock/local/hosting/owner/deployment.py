"""How an update moves traffic from the old instances to the new ones: pure.

Source: UpdateEndpoint's DeploymentConfig in the API reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sagedock.local.hosting.values import Route

GRACE_SECONDS = 1.0
"""How long old instances live on without new requests: whoever has read the old routes sends."""

_WHOLE = 100


@dataclass(frozen=True, kw_only=True)
class Step:
    """From now on the new instances get `share` (0 to 1) of the requests; `seconds` to wait and
    watch before the next step."""

    share: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A DeploymentConfig: its steps, how long the old instances stay after the last of them, and
    the seconds the whole may take (None: no limit)."""

    steps: tuple[Step, ...]
    termination_wait: float
    max_seconds: float | None


def deployment(config: Mapping[str, Any], instances: int) -> Deployment:
    """Read a DeploymentConfig (empty: all at once) for a fleet of `instances`.

    A rolling update moves traffic in its batches; the new instances are all there before, since
    one machine gains nothing by starting them in turn.
    """
    rolling, blue_green = config.get("RollingUpdatePolicy"), config.get("BlueGreenUpdatePolicy", {})
    policy = rolling or blue_green
    steps = _rolling(rolling, instances) if rolling else _blue_green(blue_green, instances)
    return Deployment(
        steps=tuple(steps),
        termination_wait=blue_green.get("TerminationWaitInSeconds", 0),
        max_seconds=policy.get("MaximumExecutionTimeoutInSeconds"),
    )


def _blue_green(policy: Mapping[str, Any], instances: int) -> Iterator[Step]:
    routing = policy.get("TrafficRoutingConfiguration", {})
    wait = routing.get("WaitIntervalInSeconds", 0)
    if routing.get("Type") == "CANARY":
        yield Step(share=_share(routing["CanarySize"], instances), seconds=wait)
    if routing.get("Type") == "LINEAR":
        yield from _stairs(_share(routing["LinearStepSize"], instances), wait)
    yield Step(share=1.0, seconds=wait)


def _rolling(policy: Mapping[str, Any], instances: int) -> Iterator[Step]:
    wait = policy["WaitIntervalInSeconds"]
    yield from _stairs(_share(policy["MaximumBatchSize"], instances), wait)
    yield Step(share=1.0, seconds=wait)


def _stairs(size: float, wait: float) -> Iterator[Step]:
    share = size
    while share < 1.0 - 1e-9:
        yield Step(share=share, seconds=wait)
        share += size


def _share(size: Mapping[str, Any], instances: int) -> float:
    whole = _WHOLE if size["Type"] == "CAPACITY_PERCENT" else instances
    return min(1.0, float(size["Value"]) / whole)


def mixed(old: Sequence[Route], new: Sequence[Route], share: float) -> tuple[Route, ...]:
    """Routes of which the new ones get `share` of the requests. Those with nothing to get are left
    out: nobody may be sent to an instance that is about to go."""
    parts = [(old, 1.0 - share), (new, share)]
    return tuple(
        replace(route, weight=route.weight / (_total(routes) or 1.0) * part)
        for routes, part in parts
        if part > 0
        for route in routes
    )


def _total(routes: Sequence[Route]) -> float:
    return sum(route.weight for route in routes)
