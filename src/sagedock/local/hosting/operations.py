"""The operations of endpoints, by the names boto3 gives them. A process of its own keeps each
endpoint; it outlives whoever made it, until it is deleted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sagedock import requests
from sagedock.engine.docker import Engine
from sagedock.engine.plan import LogLine
from sagedock.errors import ResourceNotFoundError, ValidationError
from sagedock.local import image_names, model_data, owner
from sagedock.local.describe import Answer
from sagedock.local.hosting import answers, keeping, logs, support
from sagedock.local.hosting.owner.host import Host
from sagedock.local.hosting.records import HostingRecords
from sagedock.local.hosting.values import Endpoint, EndpointConfig, EndpointStatus, Update
from sagedock.local.image_names import Use
from sagedock.local.jobs import JobService, data_id
from sagedock.local.leftovers import Known, Leftovers, Sweep
from sagedock.local.listing import Listing
from sagedock.local.process import Owner
from sagedock.local.settings import LocalSettings
from sagedock.store.uri import S3Uri

_CLAIM_SECONDS = 20.0


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
        support.check_config(request)
        for variant in request["ProductionVariants"]:
            self._models.get(variant["ModelName"])
        name = request["EndpointConfigName"]
        arn = self._place.arn("endpoint-config", name)
        self._hosting.add_config(
            EndpointConfig(name=name, arn=arn, created=time.time(), request=request)
        )
        self._tags.put(arn, request.get("Tags", ()))
        return {"EndpointConfigArn": arn}

    def describe_endpoint_config(self, *, EndpointConfigName: str) -> Answer:  # noqa: N803
        """DescribeEndpointConfig. Raises ResourceNotFoundError."""
        return answers.config_description(self._hosting.config(EndpointConfigName))

    def list_endpoint_configs(self, **filters: Any) -> Answer:
        """ListEndpointConfigs, with its filters, sorting and paging."""
        requests.validate("ListEndpointConfigs", filters)
        rows = [answers.config_summary(item) for item in self._hosting.configs()]
        return Listing(member="EndpointConfigs", name="EndpointConfigName").page(rows, filters)

    def delete_endpoint_config(self, *, EndpointConfigName: str) -> None:  # noqa: N803
        """DeleteEndpointConfig: endpoints that took it go on. Raises ResourceNotFoundError."""
        arn = self._hosting.config(EndpointConfigName).arn
        self._hosting.delete_config(EndpointConfigName)
        self._tags.forget(arn)

    # endpoints

    def create_endpoint(self, **request: Any) -> Answer:
        """CreateEndpoint: returns at once, in status Creating. Raises ValidationError,
        UnsupportedError, ResourceNotFoundError, ImageNotFoundError, EngineUnavailableError,
        StoreError where a model's data is not there, or the bucket that is to be written to."""
        requests.validate("CreateEndpoint", request)
        support.check_endpoint(request)
        config = self._hosting.config(request["EndpointConfigName"])
        self._check_startable(config.request)
        endpoint = self._new(request["EndpointName"], config)
        self._hosting.add(endpoint)
        self._tags.put(endpoint.arn, request.get("Tags", ()))
        keeping.hand_over(endpoint.name, self.settings)
        return {"EndpointArn": endpoint.arn}

    def update_endpoint(self, **request: Any) -> Answer:
        """UpdateEndpoint: returns at once, in status Updating. New instances are started and get
        the requests, at once or as DeploymentConfig says, before the old ones go; where they fail,
        all stays as it was, with a FailureReason. Raises as `create_endpoint` does."""
        requests.validate("UpdateEndpoint", request)
        support.check_update(request)
        endpoint = self.endpoint(request["EndpointName"])
        config = self._hosting.config(request["EndpointConfigName"])
        self._check_startable(config.request)
        wanted = support.retained(endpoint.request, endpoint.weights, config.request, request)
        update = Update(
            config=config.name,
            request=wanted,
            deployment=request.get("DeploymentConfig", {}),
        )
        if not self._hosting.ask_update(endpoint.name, update):
            raise _busy(self._hosting.get(endpoint.name))
        return {"EndpointArn": endpoint.arn}

    def update_endpoint_weights_and_capacities(self, **request: Any) -> Answer:
        """UpdateEndpointWeightsAndCapacities: returns at once, in status Updating. Raises
        ValidationError for an unknown variant, ResourceNotFoundError."""
        requests.validate("UpdateEndpointWeightsAndCapacities", request)
        endpoint = self.endpoint(request["EndpointName"])
        wanted = support.resized(endpoint, request["DesiredWeightsAndCapacities"])
        if not self._hosting.ask_capacities(endpoint.name, *wanted):
            raise _busy(self._hosting.get(endpoint.name))
        return {"EndpointArn": endpoint.arn}

    def _check_startable(self, config: Mapping[str, Any]) -> None:
        for place in support.destinations(config):
            self.store.as_folder(S3Uri.parse(place).bucket)
        engine = self._shop().engine
        for variant in config["ProductionVariants"]:
            for container in self._models.get(variant["ModelName"]).containers:
                model_data.check_there(self.store, container)
                image = image_names.here(container["Image"], Use.SERVING, self.settings)
                if engine.image(image) is None:
                    engine.pull(image)

    def describe_endpoint(self, *, EndpointName: str) -> Answer:  # noqa: N803
        """DescribeEndpoint. Raises ResourceNotFoundError."""
        return answers.description(self.endpoint(EndpointName))

    def list_endpoints(self, **filters: Any) -> Answer:
        """ListEndpoints, with its filters, sorting and paging."""
        requests.validate("ListEndpoints", filters)
        rows = [answers.summary(endpoint) for endpoint in self.endpoints()]
        listing = Listing(member="Endpoints", name="EndpointName", status="EndpointStatus")
        return listing.page(rows, filters)

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

    def endpoint_logs(self, name: str) -> list[tuple[str, LogLine]]:
        """All lines that the endpoint's containers printed so far, with the names of their log
        streams; those of one that is deleted stay readable. Raises ResourceNotFoundError."""
        return list(logs.read(self._folder_with_logs(name)))

    def follow_endpoint_logs(self, name: str) -> Iterator[tuple[str, LogLine]]:
        """The same, line by line, until the endpoint is gone or has failed."""
        return logs.follow(self._folder_with_logs(name), lambda: not self._is_live(name))

    def _folder_with_logs(self, name: str) -> Path:
        folder = self._endpoint_folder(name)
        if not (folder / "logs").is_dir():
            self._hosting.get(name)
        return folder

    def _is_live(self, name: str) -> bool:
        try:
            return self.endpoint(name).status is not EndpointStatus.FAILED
        except ResourceNotFoundError:
            return False

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

    # after a kill

    def take_up(self) -> None:
        """Give every running job and every endpoint that has lost its owner a new one, those too
        whose new owner died before it could say that it was there."""
        for job in self._records.list(running=True):
            if self._is_orphan(job.owner, job.state.modified):
                owner.spawn(self.settings, job, self._folder(job) / "runner.log")
            self._adopted(job)
        for endpoint in self.endpoints():
            if self._is_orphan(endpoint.owner, endpoint.modified):
                keeping.hand_over(endpoint.name, self.settings)

    def _is_orphan(self, named: Owner | None, modified: float) -> bool:
        """Whether a record names this process, which has no work of its own, and has for a while.
        Where a new owner is only slow, the second one finds its claim taken and ends."""
        waited = time.time() - modified > _CLAIM_SECONDS
        return waited and not self._attended and named == Owner.me()

    def recover(self) -> None:
        """`take_up`, and remove what killed processes have left in the engine and on the disk.
        Raises EngineError, before anything is done, where no engine answers."""
        left = Leftovers.of(self._shop().engine, self.settings.data, data_id(self.settings.data))
        self.take_up()
        left.sweep(self.settings.data, self._known()).remove()

    def leftovers(self) -> Sweep:
        """What `recover` would remove; nothing is done. Raises EngineError where no engine
        answers."""
        left = Leftovers.of(self._shop().engine, self.settings.data, data_id(self.settings.data))
        return left.sweep(self.settings.data, self._known())

    def _known(self) -> Known:
        return Known(jobs=self._records.list(), endpoints=self._hosting.list())

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
        keeping.keep(endpoint, self._hosting, self.settings)
        return endpoint

    def _endpoint_folder(self, name: str) -> Path:
        return self.settings.data / "endpoints" / name


def _busy(endpoint: Endpoint) -> ValidationError:
    return ValidationError(
        f'Cannot update in-progress endpoint "{endpoint.arn}": it is {endpoint.status}.',
        hint="Wait until it is InService; an endpoint that Failed has to be deleted.",
    )
