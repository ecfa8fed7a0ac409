"""Which instance and which of its containers an invocation goes to: pure, but for the dice."""

from __future__ import annotations

import random
from collections.abc import Container
from dataclasses import dataclass

from sagedock.errors import ValidationError
from sagedock.local.hosting.values import Endpoint, Hop, Route

PRIMARY = "primary"
"""What the service calls a model's only container."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where the caller wants an invocation to go, as far as it says: TargetVariant, TargetModel,
    TargetContainerHostname."""

    variant: str | None = None
    model: str | None = None
    container: str | None = None


def check_takes(endpoint: Endpoint) -> None:
    """Raise ValidationError unless the endpoint's status is one to invoke it in."""
    if not endpoint.status.takes_requests:
        reason = f": {endpoint.failure}" if endpoint.failure else "."
        raise ValidationError(
            f"Endpoint {endpoint.name} is {endpoint.status}, not InService{reason}",
            hint="See it: sagedock endpoints",
        )


def choose(endpoint: Endpoint, target: Target, avoided: Container[str] = ()) -> Route | None:
    """One of the endpoint's routes, by weight; those to instances `avoided` are left out. None
    where there is none just now. Raises ValidationError for an unknown variant."""
    routes = [
        route
        for route in endpoint.routes
        if target.variant in {None, route.variant} and route.instance not in avoided
    ]
    if not routes:
        if target.variant is not None:
            _check_variant(endpoint, target.variant)
        return None
    if len(routes) == 1:
        return routes[0]
    weights = [route.weight for route in routes]
    return random.choices(routes, weights if any(weights) else None)[0]


def _check_variant(endpoint: Endpoint, variant: str) -> None:
    known = [item["VariantName"] for item in endpoint.request["ProductionVariants"]]
    known += [route.variant for route in endpoint.routes]
    if variant not in known:
        names = ", ".join(dict.fromkeys(known))
        raise ValidationError(
            f"Endpoint {endpoint.name} has no variant {variant!r}; its variants: {names}."
        )


def hops(endpoint: str, route: Route, target: Target) -> tuple[Hop, ...]:
    """The containers that are asked in turn. Raises ValidationError where the target does not fit
    what the endpoint is."""
    chosen = _direct(endpoint, route, target) if route.direct else route.hops
    if not route.direct and target.container is not None:
        raise ValidationError(
            f"Endpoint {endpoint} does not support target container hostname header: its "
            "containers are not asked one by one.",
            hint="Create its model with InferenceExecutionConfig Mode Direct, or leave "
            "TargetContainerHostname out.",
        )
    multi = any(hop.models for hop in chosen)
    if target.model is not None and not multi:
        raise ValidationError(
            f"Endpoint {endpoint} is not a multi-model endpoint and does not support target model "
            "header."
        )
    if target.model is None and multi:
        raise ValidationError(
            f"Endpoint {endpoint} is a multi-model endpoint and needs the target model header.",
            hint="Name one of its models: TargetModel='….tar.gz' of invoke_endpoint. Streams and "
            "asynchronous requests have no such member.",
        )
    return chosen


def _direct(endpoint: str, route: Route, target: Target) -> tuple[Hop, ...]:
    names = ", ".join(hop.name for hop in route.hops)
    if target.container is None:
        raise ValidationError(
            f"Endpoint {endpoint} is asked container by container and needs the target container "
            f"hostname header; its containers: {names}.",
            hint="Name one of them: TargetContainerHostname='…'.",
        )
    chosen = tuple(hop for hop in route.hops if hop.name == target.container)
    if not chosen:
        raise ValidationError(
            f"Endpoint {endpoint} has no container {target.container!r}; its containers: {names}."
        )
    return chosen


def shown(route: Route, hop: Hop) -> str:
    """What messages call a container."""
    return PRIMARY if len(route.hops) == 1 else hop.name
