"""Keeps one endpoint: its instances, from Creating through every update until it is deleted."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from sagedock.contract.failure import clip
from sagedock.engine.docker import Engine
from sagedock.errors import SagedockError
from sagedock.local.hosting import support
from sagedock.local.hosting.owner.background import Background
from sagedock.local.hosting.owner.deployment import GRACE_SECONDS, Deployment, deployment, mixed
from sagedock.local.hosting.owner.fleet import Fleet
from sagedock.local.hosting.owner.instance import Shop
from sagedock.local.hosting.owner.plans import Around
from sagedock.local.hosting.records import HostingRecords
from sagedock.local.hosting.values import Endpoint, EndpointStatus, Route, Update
from sagedock.local.models import ModelRecords
from sagedock.local.plans import LABEL
from sagedock.local.settings import LocalSettings
from sagedock.store.disk import DiskStore

_LOOK_SECONDS = 0.2


class _OverError(Exception):
    """The endpoint is being deleted."""


class Host:
    """Runs the instances of endpoint `name` in this process."""

    def __init__(
        self,
        name: str,
        *,
        settings: LocalSettings,
        engine: Engine,
        store: DiskStore,
        models: ModelRecords,
        records: HostingRecords,
        data_id: str,
    ) -> None:
        self._name, self._engine, self._store = name, engine, store
        self._models, self._records = models, records
        self._folder = settings.data / "endpoints" / name
        self._around = Around(
            settings=settings,
            data_id=data_id,
            endpoint=name,
            machine_memory=engine.memory_bytes(),
        )
        self._background = Background(name, settings=settings, store=store, records=records)
        self._wake = threading.Event()
        self._fleets: list[Fleet] = []

    def run(self) -> None:
        """Until the endpoint is deleted; a failed one stays, without containers, till then."""
        try:
            self._remove_left()
            self._serve()
        except _OverError:
            pass
        except SagedockError as error:
            self._records.failed(self._name, clip(error.message))
        finally:
            self._background.stop()
            for fleet in self._fleets:
                fleet.stop()
            self._background.move()  # what was captured while they ended
        if self._status() is EndpointStatus.DELETING:
            shutil.rmtree(self._folder / "fleets", ignore_errors=True)  # its logs are kept
            self._records.forget(self._name)

    def _remove_left(self) -> None:
        """What an owner that died has left."""
        for left in self._engine.labelled(f"{LABEL}.endpoint={self._name}"):
            if left.name.startswith(f"sagedock-{self._around.data_id}-endpoint-{self._name}-"):
                left.remove()
        shutil.rmtree(self._folder / "fleets", ignore_errors=True)

    # the life of an endpoint

    def _serve(self) -> None:
        endpoint = self._endpoint()
        fleet = self._begun(endpoint.request)
        self._wait_until_up(fleet)
        self._records.in_service(self._name, fleet.routes(endpoint.weight))
        self._background.start()
        while True:
            endpoint = self._endpoint()
            if endpoint.status is EndpointStatus.UPDATING:
                fleet = self._update(endpoint, fleet)
            elif endpoint.status is EndpointStatus.ROLLING_BACK:
                self._records.rolled_back(self._name, fleet.routes(endpoint.weight))
            else:
                self._look(endpoint, fleet)
                self._pause(_LOOK_SECONDS)

    def _look(self, endpoint: Endpoint, fleet: Fleet) -> None:
        routes = fleet.routes(endpoint.weight)
        failure = fleet.failure()
        if failure and not routes:
            raise SagedockError(failure)
        if routes != endpoint.routes:
            self._records.reroute(self._name, routes)

    def _begun(self, request: Mapping[str, Any]) -> Fleet:
        shop = Shop(
            engine=self._engine,
            store=self._store,
            folder=self._folder,
            files=self._folder / "fleets" / uuid4().hex,
            around=self._around,
        )
        fleet = Fleet(
            request,
            models=self._models,
            shop=shop,
            notes=support.notes(request),
            changed=self._wake.set,
        )
        self._fleets.append(fleet)
        return fleet

    def _wait_until_up(self, fleet: Fleet) -> None:
        """Raises SagedockError where an instance can't be brought up."""
        while not fleet.is_up():
            self._endpoint()
            failure = fleet.failure()
            if failure:
                raise SagedockError(failure)
            self._pause(_LOOK_SECONDS)

    def _pause(self, seconds: float) -> None:
        self._wake.wait(seconds)
        self._wake.clear()

    def _endpoint(self) -> Endpoint:
        """The endpoint's record. Raises _OverError where it is to go on no more."""
        found = self._records.get(self._name)
        if found.status in {EndpointStatus.DELETING, EndpointStatus.FAILED}:
            raise _OverError
        return found

    def _status(self) -> EndpointStatus:
        return self._records.get(self._name).status

    # updates

    def _update(self, endpoint: Endpoint, fleet: Fleet) -> Fleet:
        """The fleet that serves after the update, or after it was rolled back."""
        if endpoint.update is None:
            fleet.resize(endpoint.request)
            self._wait_until_up(fleet)
            self._records.updated(self._name, None, fleet.routes(endpoint.weight))
            return fleet
        new = None
        try:
            new = self._begun(endpoint.update.request)
            self._deploy(endpoint, endpoint.update, fleet, new)
        except SagedockError as error:
            self._records.rolling_back(self._name, clip(error.message))
            self._records.reroute(self._name, fleet.routes(endpoint.weight))
            if new:
                time.sleep(GRACE_SECONDS)
                self._retire(new)
            self._records.rolled_back(self._name, fleet.routes(endpoint.weight))
            return fleet
        self._retire(fleet)
        self._records.updated(self._name, endpoint.update, new.routes(_own_weight))
        return new

    def _deploy(self, endpoint: Endpoint, update: Update, old: Fleet, new: Fleet) -> None:
        """Bring `new` up and give it all requests, step by step; raises SagedockError where it
        fails on the way."""
        plan = deployment(update.deployment, new.size)
        clock = _Clock(plan)
        while not new.is_up():
            self._check(new, clock)
            self._keep_routes(old.routes(endpoint.weight))
            self._pause(_LOOK_SECONDS)
        for step in plan.steps:
            clock.pause(step.seconds)
            self._mix(endpoint, old, new, step.share)
            while not clock.is_over():
                self._check(new, clock)
                self._mix(endpoint, old, new, step.share)
                self._pause(min(_LOOK_SECONDS, step.seconds))
        clock.pause(max(GRACE_SECONDS, plan.termination_wait))
        while not clock.is_over():
            self._check(new, clock)
            self._mix(endpoint, old, new, 1.0)
            self._pause(_LOOK_SECONDS)

    def _check(self, new: Fleet, clock: _Clock) -> None:
        self._endpoint()
        failure = new.failure()
        if failure:
            raise SagedockError(failure)
        clock.check()

    def _mix(self, endpoint: Endpoint, old: Fleet, new: Fleet, share: float) -> None:
        self._keep_routes(mixed(old.routes(endpoint.weight), new.routes(_own_weight), share))

    def _keep_routes(self, routes: tuple[Route, ...]) -> None:
        if routes != self._records.get(self._name).routes:
            self._records.reroute(self._name, routes)

    def _retire(self, fleet: Fleet) -> None:
        fleet.stop()
        self._fleets.remove(fleet)


class _Clock:
    """The time that a deployment may take, and the pauses in it."""

    def __init__(self, plan: Deployment) -> None:
        self._limit = plan.max_seconds
        self._begun = time.monotonic()
        self._until = self._begun

    def pause(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    def is_over(self) -> bool:
        return time.monotonic() >= self._until

    def check(self) -> None:
        """Raise SagedockError where the deployment has taken too long."""
        if self._limit is not None and time.monotonic() - self._begun > self._limit:
            raise SagedockError(
                f"The deployment took more than {self._limit:g} s "
                "(MaximumExecutionTimeoutInSeconds)."
            )


def _own_weight(variant: Mapping[str, Any]) -> float:
    found: float = variant.get("InitialVariantWeight", 1.0)
    return found
