"""Keeps one endpoint: a container for each variant, from Creating until it is deleted."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sagedock.contract.failure import clip
from sagedock.contract.instances import shm_bytes
from sagedock.contract.paths import ML
from sagedock.engine.container import Container
from sagedock.engine.docker import Engine
from sagedock.engine.plan import ContainerPlan, Mount
from sagedock.errors import SagedockError
from sagedock.local import joblog, models
from sagedock.local.hosting.records import HostingRecords
from sagedock.local.hosting.values import EndpointStatus, Hop, Route
from sagedock.local.models import Model, ModelRecords
from sagedock.local.plans import HOSTING_GRACE, LABEL, SERVING_PORT
from sagedock.local.settings import CA_TARGET, LocalSettings
from sagedock.local.transform.server import START_SECONDS, ModelServer
from sagedock.store.disk import DiskStore

_LOOK_SECONDS = 0.2
_TAIL_LINES = 5


class Host:
    """Runs the containers of endpoint `name` in this process."""

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
        self._name, self._settings, self._engine = name, settings, engine
        self._store, self._models, self._records = store, models, records
        self._data_id = data_id
        self._folder = settings.data / "endpoints" / name
        self._running: dict[str, Container] = {}
        self._pumps: list[threading.Thread] = []

    def run(self) -> None:
        """Until the endpoint is deleted; a failed one stays, without containers, till then."""
        try:
            self._remove_left()
            if self._status() is not EndpointStatus.DELETING:
                self._serve()
        finally:
            self._stop()
        if self._status() is EndpointStatus.DELETING:
            shutil.rmtree(self._folder / "models", ignore_errors=True)  # its logs are kept
            self._records.forget(self._name)

    def _remove_left(self) -> None:
        """Containers of an owner that died."""
        for left in self._engine.labelled(f"{LABEL}.endpoint={self._name}"):
            if left.name.startswith(self._container_name("")):
                left.remove()

    def _container_name(self, variant: str) -> str:
        return f"sagedock-{self._data_id}-endpoint-{self._name}-{variant}"

    def _serve(self) -> None:
        try:
            request = self._records.get(self._name).request
            routes = tuple(self._route(item) for item in request["ProductionVariants"])
        except SagedockError as error:
            self._records.failed(self._name, clip(error.message))
            return
        if self._records.in_service(self._name, routes):
            self._watch()

    def _watch(self) -> None:
        """Until somebody deletes the endpoint, or a container ends."""
        while self._status() is EndpointStatus.IN_SERVICE:
            for variant, container in self._running.items():
                if not container.is_running():
                    self._records.failed(self._name, self._died(variant))
                    return
            time.sleep(_LOOK_SECONDS)

    def _status(self) -> EndpointStatus:
        return self._records.get(self._name).status

    # one variant

    def _route(self, variant: Mapping[str, Any]) -> Route:
        name = variant["VariantName"]
        container = self._started(variant)
        host, port = container.published(SERVING_PORT)
        server = ModelServer((host, port))
        seconds = variant.get("ContainerStartupHealthCheckTimeoutInSeconds", START_SECONDS)
        try:
            server.wait_until_up(lambda: self._goes_on(container), seconds)
        except SagedockError as error:
            raise SagedockError(f"{error.message} {self._tail(name)}") from error
        finally:
            server.close()
        return Route(
            variant=name,
            instance=container.name,
            weight=variant.get("InitialVariantWeight", 1.0),
            hops=(Hop(name="container_1", host=host, port=port),),
        )

    def _goes_on(self, container: Container) -> bool:
        return self._status() is EndpointStatus.CREATING and container.is_running()

    def _started(self, variant: Mapping[str, Any]) -> Container:
        name = variant["VariantName"]
        model = self._models.get(variant["ModelName"])
        files = self._folder / "models" / name
        shutil.rmtree(files, ignore_errors=True)  # an owner that died may have left it half done
        folder = models.lay(self._store, model, files)
        plan = self._plan(variant, model, folder)
        container = self._engine.create(plan)
        self._running[name] = container
        container.start()
        pump = threading.Thread(target=self._pump, args=(name, container), name="sagedock-log")
        self._pumps.append(pump)
        pump.start()
        return container

    def _plan(self, variant: Mapping[str, Any], model: Model, folder: Path | None) -> ContainerPlan:
        bundle = self._settings.ca_bundle
        mounts = [Mount(source=folder, target=ML.model)] if folder else []  # read-only (D2.3)
        mounts += [Mount(source=bundle, target=CA_TARGET)] if bundle else []
        memory = self._engine.memory_bytes()
        size = self._settings.shm_bytes or shm_bytes(variant["InstanceType"], memory)
        return ContainerPlan(
            name=self._container_name(variant["VariantName"]),
            image=model.container["Image"],
            command=["serve"],  # D1.1
            environment={
                **self._settings.machine_environment(),
                "AWS_REGION": self._settings.region,
                **model.container.get("Environment", {}),  # D1.6
            },
            hostname=model.container.get("ContainerHostname"),
            mounts=mounts,
            labels={LABEL: self._data_id, f"{LABEL}.endpoint": self._name},
            shm_bytes=size,
            ports=(SERVING_PORT,),
        )

    # logs

    def _log(self, variant: str) -> Path:
        return self._folder / "logs" / f"{variant}.log"

    def _pump(self, variant: str, container: Container) -> None:
        log = joblog.LogWriter(self._log(variant))
        try:
            for line in container.follow():
                log.write(line)
        finally:
            log.close()

    def _tail(self, variant: str) -> str:
        lines = [line.text for line in joblog.read(self._log(variant))[-_TAIL_LINES:]]
        return "Last of its log: " + " | ".join(lines) if lines else "Its log is empty."

    def _died(self, variant: str) -> str:
        for pump in self._pumps:
            pump.join(timeout=_LOOK_SECONDS * 5)
        return clip(f"The container of variant {variant} ended. {self._tail(variant)}")

    def _stop(self) -> None:
        for container in self._running.values():
            try:
                container.stop(HOSTING_GRACE)  # D1.4
            finally:
                container.remove()
        for pump in self._pumps:
            pump.join()
