"""Endpoints as values: what is known of one, and where its containers answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sagedock.local.process import Owner


class EndpointStatus(StrEnum):
    """EndpointStatus, as far as endpoints here have it."""

    CREATING = "Creating"
    UPDATING = "Updating"
    ROLLING_BACK = "RollingBack"
    IN_SERVICE = "InService"
    FAILED = "Failed"
    DELETING = "Deleting"

    @property
    def takes_requests(self) -> bool:
        """An endpoint goes on answering while it is being updated."""
        return self in _ANSWERING


_ANSWERING = frozenset(
    {EndpointStatus.IN_SERVICE, EndpointStatus.UPDATING, EndpointStatus.ROLLING_BACK}
)


@dataclass(frozen=True, kw_only=True)
class EndpointConfig:
    """A CreateEndpointConfig request. `created` in seconds since the epoch."""

    name: str
    arn: str
    created: float
    request: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Hop:
    """One container and the address at which it answers.

    `name` is its ContainerHostname, or `container_1` and so on where it has none. A multi-model
    container (D5) has `models`, the S3 prefix that TargetModel is looked up below, `folder`, the
    folder of this machine that it sees as /opt/ml/models, and `cached`: whether a model stays
    loaded once it was asked for (ModelCacheSetting).
    """

    name: str
    host: str
    port: int
    models: str | None = None
    folder: str | None = None
    cached: bool = True


@dataclass(frozen=True, kw_only=True)
class Route:
    """One instance of a variant. A request goes through all `hops` in turn (D5.13) unless the
    model's containers are asked for one by one (`direct`). `weight` is this instance's share among
    all routes, in whatever unit."""

    variant: str
    instance: str
    weight: float
    hops: tuple[Hop, ...]
    direct: bool = False


@dataclass(frozen=True, kw_only=True)
class Update:
    """An update that was asked for: the EndpointConfig to go to, and a DeploymentConfig."""

    config: str
    request: Mapping[str, Any]
    deployment: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """An endpoint; times in seconds since the epoch.

    `config` names its EndpointConfig, `request` is that configuration as it was when the endpoint
    took it (it may have been deleted since). `weights` are the variants' desired weights where they
    were changed after that. `update` is under way in statuses Updating and RollingBack.
    """

    name: str
    arn: str
    created: float
    modified: float
    status: EndpointStatus
    config: str
    request: Mapping[str, Any]
    owner: Owner
    failure: str | None = None
    routes: tuple[Route, ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)
    update: Update | None = None

    def weight(self, variant: Mapping[str, Any]) -> float:
        """The desired weight of one of the configuration's variants."""
        return self.weights.get(variant["VariantName"], variant.get("InitialVariantWeight", 1.0))
