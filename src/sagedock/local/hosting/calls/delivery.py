"""Finds an instance for a call and has it answered: the record is read for every call, so that no
caller sits on instances that an update has replaced.

A container that can't be connected to is left for another one, or for the one that takes its
place: the record is read again until there is one, for a few seconds. Nothing is sent twice. An
endpoint whose owner has died with its containers gets a new one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from sagedock.errors import ValidationError
from sagedock.local.hosting.calls import routing
from sagedock.local.hosting.calls.connections import (
    Answer,
    Connections,
    ReadAnswer,
    UnreachableError,
)
from sagedock.local.hosting.calls.faults import Faults
from sagedock.local.hosting.calls.invocation import Call, Courier
from sagedock.local.hosting.keeping import keep
from sagedock.local.hosting.records import HostingRecords
from sagedock.local.hosting.values import Endpoint, Route
from sagedock.local.settings import LocalSettings
from sagedock.store.disk import DiskStore

ROUTE_SECONDS = 5.0
"""How long a call waits for an instance that can be reached."""

SERVERLESS_BYTES = 4 << 20
"""D6.3."""

_LOOK_SECONDS = 0.05


@dataclass(frozen=True, kw_only=True)
class Delivered:
    """A call that was answered with success, its answer under way; `shown` is what messages call
    the container that answers."""

    endpoint: Endpoint
    route: Route
    shown: str
    answer: Answer | ReadAnswer
    faults: Faults


class Delivery:
    """Has calls answered by endpoints of `records`; waits `patience` seconds for an instance."""

    def __init__(
        self,
        settings: LocalSettings,
        records: HostingRecords,
        connections: Connections,
        store: Callable[[], DiskStore],
        patience: float = ROUTE_SECONDS,
    ) -> None:
        self._settings, self._records = settings, records
        self._courier = Courier(connections, store)
        self._patience = patience

    def deliver(self, call: Call) -> Delivered:
        """Raises ResourceNotFoundError, ValidationError, ModelError."""
        faults = Faults.of(call.endpoint, self._settings)
        until = time.monotonic() + self._patience
        reason = "it has no instance just now"
        avoided: set[str] = set()
        while True:
            endpoint = self._records.get(call.endpoint)
            _check(endpoint, call)
            route = routing.choose(endpoint, call.target, avoided)
            if route:
                _check_serverless(endpoint, route, call)
                try:
                    shown, answer = self._courier.deliver(route, call, faults)
                except UnreachableError as error:
                    reason = f"instance {route.instance}: {error}"
                    avoided.add(route.instance)
                else:
                    return Delivered(
                        endpoint=endpoint, route=route, shown=shown, answer=answer, faults=faults
                    )
            elif time.monotonic() < until:
                avoided.clear()
                keep(endpoint, self._records, self._settings)
                time.sleep(_LOOK_SECONDS)
            else:
                raise faults.unavailable(reason, self._patience)


def _check(endpoint: Endpoint, call: Call) -> None:
    routing.check_takes(endpoint)
    if call.asynchronous == bool(endpoint.request.get("AsyncInferenceConfig")):
        return
    if call.asynchronous:
        raise ValidationError(
            f"Endpoint {endpoint.name} is no asynchronous endpoint any more.",
            hint="Its configuration now has no AsyncInferenceConfig.",
        )
    raise ValidationError(
        f"Endpoint {endpoint.name} is an asynchronous endpoint: it takes InvokeEndpointAsync only.",
        hint="Call invoke_endpoint_async, or deploy without AsyncInferenceConfig.",
    )


def _check_serverless(endpoint: Endpoint, route: Route, call: Call) -> None:
    if not isinstance(call.body, bytes) or len(call.body) <= SERVERLESS_BYTES:
        return
    for variant in endpoint.request["ProductionVariants"]:
        if variant["VariantName"] == route.variant and "ServerlessConfig" in variant:
            raise ValidationError(
                f"Body has {len(call.body):,} bytes; a serverless endpoint takes at most "
                f"{SERVERLESS_BYTES:,} (D6.3).",
                hint="Send fewer records in one request.",
            )
