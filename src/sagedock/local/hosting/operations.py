"""The operations of endpoints, by the names boto3 gives them. A process of its own keeps each
endpoint; it outlives whoever made it, until it is deleted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sagedock import requests
from sagedock.engine.docker import Engine
from sagedock.errors import UnsupportedError
from sagedock.local import models, owner
from sagedock.local.describe import Answer
from sagedock.local.hosting.host import Host
from sagedock.local.hosting.records import HostingRecords
from sagedock.local.hosting.values import Endpoint, EndpointConfig, EndpointStatus, Route
from sagedock.local.jobs import JobService
from sagedock.local.process import Owner
from sagedock.local.settings import LocalSettings

_CONFIG = {"EndpointConfigName", "ProductionVariants", "Tags", "ExecutionRoleArn", "KmsKeyId"}
_VARIANT = {
    "VariantName", "ModelName", "InitialInstanceCount", "InstanceType", "InitialVariantWeight",
    "ContainerStartupHealthCheckTimeoutInSeconds", "ModelDataDownloadTimeoutInSeconds",
    "VolumeSizeInGB",
}  # fmt: skip
_ENDPOINT = {"EndpointName", "EndpointConfigName", "Tags"}


class HostingService(JobService):
    """Endpoints on this machine, beside its jobs."""

    def __init__(
        self,
        settings: LocalSettings | None = None,
        *,
        attended: bool = False,
        engine: Callable[[], Engine] = Engine.connect,
    ) -> None:
        super().__init__(settings, attended=attended, engine=engine)
        self._hosting = HostingRecords(self.settings.data)

    def close(self) -> None:
        """Let go of the engine and the database; endpoints go on."""
        self._hosting.close()
        super().close()

    # configurations

    def create_endpoint_config(self, **request: Any) -> Answer:
        """CreateEndpointConfig. Raises ValidationError, UnsupportedError for what can't be done
        here yet, ResourceNotFoundError for an unknown model."""
        requests.validate("CreateEndpointConfig", request)
        _refuse(_beyond(request), "endpoint configuration")
        for variant in request["ProductionVariants"]:
            self._models.get(variant["ModelName"])
        name = request["EndpointConfigName"]
        arn = self._place.arn("endpoint-config", name)
        self._hosting.add_config(
            EndpointConfig(name=name, arn=arn, created=time.time(), request=request)
        )
        return {"EndpointConfigArn": arn}

    def describe_endpoint_config(self, *, EndpointConfigName: str) -> Answer:  # noqa: N803
        """DescribeEndpointConfig. Raises ResourceNotFoundError."""
        found = self._hosting.config(EndpointConfigName)
        members = {key: value for key, value in found.request.items() if key != "Tags"}
        return {
            **members,
            "EndpointConfigArn": found.arn,
            "CreationTime": _time(found.created),
        }

    def delete_endpoint_config(self, *, EndpointConfigName: str) -> None:  # noqa: N803
        """DeleteEndpointConfig. Raises ResourceNotFoundError."""
        self._hosting.delete_config(EndpointConfigName)

    # endpoints

    def create_endpoint(self, **request: Any) -> Answer:
        """CreateEndpoint: returns at once, in status Creating. Raises ValidationError,
        UnsupportedError, ResourceNotFoundError, ImageNotFoundError, EngineUnavailableError,
        StoreError where a model's data is not there."""
        requests.validate("CreateEndpoint", request)
        _refuse(set(request) - _ENDPOINT, "endpoint")
        config = self._hosting.config(request["EndpointConfigName"])
        engine = self._shop().engine
        for variant in config.request["ProductionVariants"]:
            model = self._models.get(variant["ModelName"])
            models.check_data(self.store, model.request)
            if engine.image(model.container["Image"]) is None:
                engine.pull(model.container["Image"])
        endpoint = self._new(request["EndpointName"], config)
        self._hosting.add(endpoint)
        self._hand_over(endpoint)
        return {"EndpointArn": endpoint.arn}

    def describe_endpoint(self, *, EndpointName: str) -> Answer:  # noqa: N803
        """DescribeEndpoint. Raises ResourceNotFoundError."""
        endpoint = self.endpoint(EndpointName)
        failure = {"FailureReason": endpoint.failure} if endpoint.failure else {}
        variants = [_variant(route) for route in endpoint.routes]
        return {
            **_summary(endpoint),
            "EndpointConfigName": endpoint.config,
            **({"ProductionVariants": variants} if variants else {}),
            **failure,
        }

    def list_endpoints(self, **filters: Any) -> Answer:
        """ListEndpoints, with NameContains and StatusEquals; all of them in one page."""
        requests.validate("ListEndpoints", filters)
        _refuse(set(filters) - {"NameContains", "StatusEquals"}, "list")
        word = filters.get("NameContains", "").lower()
        return {
            "Endpoints": [
                _summary(endpoint)
                for endpoint in self.endpoints()
                if word in endpoint.name.lower()
                and endpoint.status == filters.get("StatusEquals", endpoint.status)
            ]
        }

    def delete_endpoint(self, *, EndpointName: str) -> None:  # noqa: N803
        """DeleteEndpoint: returns at once, in status Deleting. Raises ResourceNotFoundError."""
        self._hosting.get(EndpointName)
        self._hosting.deleting(EndpointName)
        self._kept(self._hosting.get(EndpointName))

    # beside the API

    def endpoint(self, name: str) -> Endpoint:
        """An endpoint's record; one that lost its owner gets a new one first."""
        return self._kept(self._hosting.get(name))

    def endpoints(self) -> list[Endpoint]:
        """All endpoints, newest first."""
        return [self._kept(endpoint) for endpoint in self._hosting.list()]

    def keep_endpoint(self, name: str, giver: Owner) -> None:
        """Become the owner of an endpoint that `giver` has left to this process, and keep it."""
        endpoint = replace(self._hosting.get(name), owner=giver)
        if not self._hosting.claim(endpoint, Owner.me()):
            return
        shop = self._shop()
        Host(
            name,
            settings=self.settings,
            engine=shop.engine,
            store=self.store,
            models=self._models,
            records=self._hosting,
            data_id=shop.data_id,
        ).run()

    def _new(self, name: str, config: EndpointConfig) -> Endpoint:
        now = time.time()
        return Endpoint(
            name=name,
            arn=self._place.arn("endpoint", name),
            created=now,
            modified=now,
            status=EndpointStatus.CREATING,
            config=config.name,
            request=config.request,
            owner=Owner.me(),
        )

    def _kept(self, endpoint: Endpoint) -> Endpoint:
        """A failed endpoint has nothing to be kept; any other needs an owner that lives."""
        if endpoint.status is EndpointStatus.FAILED or endpoint.owner.is_alive():
            return endpoint
        if self._hosting.claim(endpoint, Owner.me()):
            self._hand_over(endpoint)
        return endpoint

    def _hand_over(self, endpoint: Endpoint) -> None:
        owner.spawn_host(self.settings, endpoint.name, self._runner_log(endpoint.name))

    def _runner_log(self, name: str) -> Path:
        return self.settings.data / "endpoints" / name / "runner.log"


def _beyond(request: Mapping[str, Any]) -> Iterator[str]:
    yield from set(request) - _CONFIG
    for variant in request["ProductionVariants"]:
        name = variant["VariantName"]
        yield from (f"{key} of variant {name}" for key in sorted(set(variant) - _VARIANT))
        if variant.get("InitialInstanceCount", 1) > 1:
            yield f"more than one instance of variant {name} (InitialInstanceCount)"
        if not variant.get("ModelName"):
            yield f"variant {name} without ModelName"


def _refuse(found: Any, what: str) -> None:
    items = sorted(found)
    if items:
        raise UnsupportedError(
            f"This {what} asks for what can't be done here yet: {'; '.join(items)}.",
            hint="Leave it out to use it here; nothing of a request is ignored silently.",
        )


def _summary(endpoint: Endpoint) -> Answer:
    return {
        "EndpointName": endpoint.name,
        "EndpointArn": endpoint.arn,
        "CreationTime": _time(endpoint.created),
        "LastModifiedTime": _time(endpoint.modified),
        "EndpointStatus": str(endpoint.status),
    }


def _variant(route: Route) -> Answer:
    return {
        "VariantName": route.variant,
        "CurrentWeight": route.weight,
        "DesiredWeight": route.weight,
        "CurrentInstanceCount": 1,
        "DesiredInstanceCount": 1,
    }


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
