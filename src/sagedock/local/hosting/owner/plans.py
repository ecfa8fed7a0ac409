"""From a variant and its model to the containers of one instance: pure.

Source: D1 (start), D5.2 (multi-model), D5.11 and D5.12 (ports), D6 (serverless).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sagedock.contract.instances import shm_bytes
from sagedock.engine.plan import ISOLATED, ContainerPlan, Mount
from sagedock.local import image_names, model_code, model_data
from sagedock.local.image_names import Use
from sagedock.local.models import Model
from sagedock.local.plans import LABEL, SERVING_PORT
from sagedock.local.settings import CA_TARGET, LocalSettings

BIND_LABEL = "com.amazonaws.sagemaker.capabilities.accept-bind-to-port"
"""D5.11: an image says by it that it listens where SAGEMAKER_BIND_TO_PORT tells it to."""

SERVERLESS_USER = "1234:1234"
"""D6.4: a serverless container's process can't write where root could."""

START_SECONDS = 480
SERVERLESS_START_SECONDS = 180
"""D3.3, D6.3."""

_SAFE_PORTS = 9000
_SAFE_SPAN = 100


@dataclass(frozen=True, kw_only=True)
class Around:
    """What a plan needs to know beyond the request: `endpoint` is its name, `machine_memory` in
    bytes."""

    settings: LocalSettings
    data_id: str
    endpoint: str
    machine_memory: int


def hop_name(container: Mapping[str, Any], number: int) -> str:
    """What the container `number` (from 0) of a model is called."""
    name: str = container.get("ContainerHostname") or f"container_{number + 1}"
    return name


def port(number: int, count: int) -> int:
    """Where container `number` of `count` listens: 8080, or ports of their own for several."""
    return SERVING_PORT if count == 1 else SERVING_PORT + number


def start_seconds(variant: Mapping[str, Any]) -> float:
    """How long a container may take until /ping answers 200."""
    if "ServerlessConfig" in variant:
        return SERVERLESS_START_SECONDS
    given: float = variant.get("ContainerStartupHealthCheckTimeoutInSeconds", START_SECONDS)
    return given


def container_plan(
    variant: Mapping[str, Any],
    model: Model,
    number: int,
    *,
    instance: str,
    mounts: Sequence[Mount],
    around: Around,
) -> ContainerPlan:
    """The container `number` (from 0) of an instance of `variant`."""
    container, count = model.containers[number], len(model.containers)
    isolated = bool(model.request.get("EnableNetworkIsolation"))
    bundle = None if isolated else around.settings.ca_bundle
    trust = (Mount(source=bundle, target=CA_TARGET),) if bundle else ()
    serverless = variant.get("ServerlessConfig")
    return ContainerPlan(
        name=f"sagedock-{around.data_id}-endpoint-{around.endpoint}-{instance}-{number}",
        image=image_names.here(container["Image"], Use.SERVING, around.settings),
        command=["serve"],  # D1.1
        environment={
            **({} if isolated else around.settings.machine_environment()),
            "AWS_REGION": around.settings.region,
            **_ports(number, count),
            **({"SAGEMAKER_MULTI_MODEL": "true"} if model_data.is_multi_model(container) else {}),
            **model_code.environment(container, around.settings),  # D1.6
        },
        hostname=container.get("ContainerHostname"),
        network=ISOLATED if isolated else "bridge",  # D1.9
        extra_hosts={} if isolated else around.settings.extra_hosts,
        mounts=(*mounts, *trust),
        labels={LABEL: around.data_id, f"{LABEL}.endpoint": around.endpoint},
        shm_bytes=_shm(variant, around),
        ports=(port(number, count),),
        user=SERVERLESS_USER if serverless else None,
        read_only=bool(serverless),
        memory_bytes=serverless["MemorySizeInMB"] << 20 if serverless else None,  # D6.2
    )


def _ports(number: int, count: int) -> dict[str, str]:
    if count == 1:
        return {}
    first = _SAFE_PORTS + _SAFE_SPAN * number
    return {
        "SAGEMAKER_BIND_TO_PORT": str(port(number, count)),
        "SAGEMAKER_SAFE_PORT_RANGE": f"{first}-{first + _SAFE_SPAN - 1}",
    }


def _shm(variant: Mapping[str, Any], around: Around) -> int | None:
    if "ServerlessConfig" in variant:
        return None
    given = around.settings.shm_bytes
    return given or shm_bytes(variant["InstanceType"], around.machine_memory)
