"""SageMaker on the wire: every operation is LocalSageMaker's of the same name."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from sagedock.errors import (
    ResourceInUseError,
    ResourceNotFoundError,
    SagedockError,
    ValidationError,
)
from sagedock.local.client import LocalSageMaker
from sagedock.local.hosting.values import EndpointStatus
from sagedock.local.records import Kind
from sagedock.server.protocols.shapes import Params
from sagedock.server.services.patience import PatientService, asking
from sagedock.server.services.rpc import Operation, RpcService, ServiceError

if TYPE_CHECKING:
    from botocore.model import OperationModel

OPERATIONS = (
    "AddTags", "ListTags", "DeleteTags",
    "CreateTrainingJob", "DescribeTrainingJob", "ListTrainingJobs", "StopTrainingJob",
    "UpdateTrainingJob", "DeleteTrainingJob", "DeleteProcessingJob",
    "CreateProcessingJob", "DescribeProcessingJob", "ListProcessingJobs", "StopProcessingJob",
    "CreateTransformJob", "DescribeTransformJob", "ListTransformJobs", "StopTransformJob",
    "CreateModel", "DescribeModel", "ListModels", "DeleteModel",
    "CreateEndpointConfig", "DescribeEndpointConfig", "ListEndpointConfigs",
    "DeleteEndpointConfig",
    "CreateEndpoint", "DescribeEndpoint", "ListEndpoints", "DeleteEndpoint",
    "UpdateEndpoint", "UpdateEndpointWeightsAndCapacities",
)  # fmt: skip
"""SageMaker's operations that LocalSageMaker has, there in lower case with underscores."""

SETTLE_SECONDS = 1.0
"""How long a job's creation waits for the job to end. Waiters look at once and then every 10 s or
30 s: a job that is over in less would cost them a whole turn. Who sleeps first is not kept."""

ENDPOINT_SETTLE_SECONDS = 5.0
"""The same of an endpoint, which is up in a second or two."""

_LOOK_SECONDS = 0.02
_CHANGING = frozenset(EndpointStatus) - {EndpointStatus.IN_SERVICE, EndpointStatus.FAILED}


def service(client: LocalSageMaker) -> RpcService:
    """The service `sagemaker` on `client`."""
    operations: dict[str, Operation] = {
        name: partial(_call, getattr(client, _method(name))) for name in OPERATIONS
    }
    for kind in Kind:
        name = f"Create{kind.capitalize()}Job"
        operations[name] = partial(_settled, client, kind, operations[name])
    for name in ("CreateEndpoint", "UpdateEndpoint", "DeleteEndpoint"):
        operations[name] = partial(_settled_endpoint, client, operations[name])
    return PatientService("sagemaker", operations, translate=translated)


def _method(operation: str) -> str:
    return re.sub("(?<!^)(?=[A-Z])", "_", operation).lower()


def _call(method: Any, params: Params) -> Mapping[str, Any] | None:
    found: Mapping[str, Any] | None = method(**params)
    return found


def _settled(
    client: LocalSageMaker, kind: Kind, create: Operation, params: Params
) -> Mapping[str, Any] | None:
    answer = create(params)
    end = time.monotonic() + (0.0 if asking().sleeps_first else SETTLE_SECONDS)
    while time.monotonic() < end:
        if not client.job(kind, params[f"{kind.capitalize()}JobName"]).is_running:
            break
        time.sleep(_LOOK_SECONDS)
    return answer


def _settled_endpoint(
    client: LocalSageMaker, change: Operation, params: Params
) -> Mapping[str, Any] | None:
    answer = change(params)
    end = time.monotonic() + ENDPOINT_SETTLE_SECONDS
    while time.monotonic() < end and _is_changing(client, params["EndpointName"]):
        time.sleep(_LOOK_SECONDS)
    return answer


def _is_changing(client: LocalSageMaker, name: str) -> bool:
    try:
        return client.endpoint(name).status in _CHANGING
    except ResourceNotFoundError:
        return False


def translated(error: SagedockError, operation: OperationModel) -> ServiceError:
    """An error by the name the service has for it: ResourceNotFound only where the operation's own
    model knows it; models and endpoints answer ValidationException."""
    known = {shape.name for shape in operation.error_shapes}
    text = error.message if isinstance(error, ValidationError) else str(error)
    if isinstance(error, ResourceInUseError):
        return ServiceError("ResourceInUse", text)
    if isinstance(error, ResourceNotFoundError) and "ResourceNotFound" in known:
        return ServiceError("ResourceNotFound", text)
    return ServiceError("ValidationException", text)
