"""The instances of one endpoint configuration: started together, each replaced when it fails."""

from __future__ import annotations

import shutil
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from sagedock.contract.failure import clip
from sagedock.errors import SagedockError
from sagedock.local.hosting.owner.deployment import GRACE_SECONDS
from sagedock.local.hosting.owner.instance import Instance, Shop
from sagedock.local.hosting.values import Route
from sagedock.local.models import Model, ModelRecords

TRIES = 3
"""How often in succession an instance's replacement may fail to start until it is given up."""

_FIRST_PAUSE_SECONDS = 1.0
_WAIT_SECONDS = 0.1


class Slot:
    """A place in a variant that holds one instance at a time, kept filled by a thread."""

    def __init__(
        self,
        variant: Mapping[str, Any],
        model: Model,
        shop: Shop,
        notes: tuple[str, ...],
        changed: Callable[[], None],
    ) -> None:
        self.variant, self._model, self._shop = variant, model, shop
        self._notes, self._changed = notes, changed
        self._stopped = threading.Event()
        self._retiring: list[threading.Thread] = []
        self._thread = threading.Thread(target=self._keep, name="sagedock-instance")
        self._grace = 0.0
        self.route: Route | None = None
        self.given_up: str | None = None

    def begin(self) -> None:
        """Start to fill it."""
        self._thread.start()

    def end(self, grace: float = 0.0) -> None:
        """Empty it, `grace` seconds after no route leads to it any more; `join` waits for that."""
        self._grace = grace
        self._stopped.set()

    def join(self) -> None:
        """Until its instances are gone."""
        self._thread.join()
        for thread in self._retiring:
            thread.join()

    def _keep(self) -> None:
        tries, notes = 1, self._notes  # the first instance has one try: it tells at once
        while not self._stopped.is_set():
            instance = Instance(self.variant, self._model, self._shop, notes)
            problem, served = self._serve(instance)
            self._set(None)
            if problem is None:
                time.sleep(self._grace)
                instance.stop()
                return
            tries = TRIES if served else tries - 1
            if not tries:
                instance.stop()
                self.given_up = clip(problem)
                self._changed()
                return
            self._retire(instance)
            notes = (*self._notes, f"Takes the place of {instance.identity}: {problem}")
            if not served:
                self._stopped.wait(_FIRST_PAUSE_SECONDS * 2 ** (TRIES - tries - 1))

    def _serve(self, instance: Instance) -> tuple[str | None, bool]:
        """One instance's life: why it ended (None: it was to end), and whether it ever served."""
        try:
            hops = instance.start(lambda: not self._stopped.is_set())
        except SagedockError as error:
            return (None if self._stopped.is_set() else error.message), False
        except Exception as error:  # whatever it is, the endpoint must not hang in Creating
            traceback.print_exc()
            return f"{type(error).__name__}: {error}", False
        self._set(
            Route(
                variant=self.variant["VariantName"],
                instance=instance.identity,
                weight=1.0,
                hops=hops,
                direct=self._model.direct,
            )
        )
        return instance.watch(self._stopped), True

    def _set(self, route: Route | None) -> None:
        if route != self.route:
            self.route = route
            self._changed()

    def _retire(self, instance: Instance) -> None:
        """End it in order, while the next one starts already."""
        thread = threading.Thread(target=instance.stop, name="sagedock-retire")
        self._retiring.append(thread)
        thread.start()


class Fleet:
    """The instances of `request`, a CreateEndpointConfig. `changed` is called, from any thread,
    when routes have changed. Raises ResourceNotFoundError for a model that was deleted."""

    def __init__(
        self,
        request: Mapping[str, Any],
        *,
        models: ModelRecords,
        shop: Shop,
        notes: tuple[str, ...],
        changed: Callable[[], None],
    ) -> None:
        self._models, self._shop, self._notes, self._changed = models, shop, notes, changed
        self._slots: list[Slot] = []
        self._leaving: list[Slot] = []
        self.resize(request)

    def resize(self, request: Mapping[str, Any]) -> None:
        """Have as many instances of each variant as `request` says."""
        variants = request["ProductionVariants"]
        models = [self._models.get(variant["ModelName"]) for variant in variants]
        for variant, model in zip(variants, models, strict=True):
            mine = self._of(variant["VariantName"])
            wanted = variant.get("InitialInstanceCount", 1)
            for slot in mine[wanted:]:
                slot.end(GRACE_SECONDS)
                self._slots.remove(slot)
                self._leaving.append(slot)
            for _ in range(wanted - len(mine)):
                slot = Slot(variant, model, self._shop, self._notes, self._changed)
                self._slots.append(slot)
                slot.begin()

    def _of(self, variant: str) -> list[Slot]:
        return [slot for slot in self._slots if slot.variant["VariantName"] == variant]

    @property
    def size(self) -> int:
        """Number of instances wanted."""
        return len(self._slots)

    def failure(self) -> str | None:
        """Why the fleet can't do its work: what a place was given up for."""
        reasons = [slot.given_up for slot in self._slots if slot.given_up]
        return reasons[0] if reasons else None

    def is_up(self) -> bool:
        """Whether every place holds an instance that answers."""
        return all(slot.route for slot in self._slots)

    def routes(self, weight: Callable[[Mapping[str, Any]], float]) -> tuple[Route, ...]:
        """Where requests go now; a variant's `weight` is shared among its instances."""
        found = []
        for slot in self._slots:
            route = slot.route
            if route:
                live = sum(1 for other in self._of(route.variant) if other.route)
                share = weight(slot.variant) / max(live, 1)
                found.append(replace(route, weight=share))
        return tuple(found)

    def stop(self) -> None:
        """End all instances; returns when they are gone. Their logs are kept, their models not."""
        for slot in self._slots:
            slot.end()
        for slot in (*self._slots, *self._leaving):
            slot.join()
        shutil.rmtree(self._shop.files, ignore_errors=True)
