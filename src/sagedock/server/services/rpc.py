"""One RPC service: from a request to the operation it names, and its answer or error back in the
same protocol. Must not know which service it is.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from sagedock import requests
from sagedock.errors import SagedockError
from sagedock.server.messages import Request, Response, TooLargeError
from sagedock.server.protocols import cbor, json_rpc, query
from sagedock.server.protocols.shapes import Params, SerializationError

if TYPE_CHECKING:
    from botocore.model import OperationModel, ServiceModel, Shape

Operation = Callable[[Params], Mapping[str, Any] | None]


class ServiceError(Exception):
    """An error as the service tells it. `members` are what the error's shape has besides."""

    def __init__(self, code: str, message: str, *, status: int = 400, **members: Any) -> None:
        super().__init__(message)
        self.code, self.message, self.status, self.members = code, message, status, members


class Protocol_(Protocol):  # noqa: N801 - typing has the name
    """How a request is read and an answer written."""

    def operation(self, request: Request, body: bytes) -> str:
        """The operation's name, '' where the request names none."""

    def params(self, request: Request, body: bytes, shape: Shape | None) -> Params:
        """Its parameters. Raises SerializationError."""

    def answer(self, found: Mapping[str, Any], operation: OperationModel) -> Response:
        """Its answer."""

    def error(self, fault: ServiceError) -> Response:
        """An error."""


class Json:
    """X-Amz-Target names the operation, the body is JSON."""

    def operation(self, request: Request, body: bytes) -> str:
        return request.headers.get("X-Amz-Target", "").rpartition(".")[2]

    def params(self, request: Request, body: bytes, shape: Shape | None) -> Params:
        return json_rpc.params(body, shape)

    def answer(self, found: Mapping[str, Any], operation: OperationModel) -> Response:
        return json_rpc.answer(found, operation)

    def error(self, fault: ServiceError) -> Response:
        return json_rpc.error(fault.code, fault.message, status=fault.status, **fault.members)


class Cbor:
    """The path names the operation (/service/NAME/operation/OPERATION), the body is CBOR."""

    def operation(self, request: Request, body: bytes) -> str:
        return request.path.rpartition("/operation/")[2]

    def params(self, request: Request, body: bytes, shape: Shape | None) -> Params:
        return cbor.params(body, shape)

    def answer(self, found: Mapping[str, Any], operation: OperationModel) -> Response:
        return cbor.answer(found, operation)

    def error(self, fault: ServiceError) -> Response:
        return cbor.error(fault.code, fault.message, status=fault.status, **fault.members)


@dataclass(frozen=True)
class Query:
    """A form whose field Action names the operation; answers are XML in `namespace`."""

    namespace: str

    def operation(self, request: Request, body: bytes) -> str:
        return self._fields(request, body).get("Action", "")

    def params(self, request: Request, body: bytes, shape: Shape | None) -> Params:
        return query.unflattened(self._fields(request, body), shape)

    @staticmethod
    def _fields(request: Request, body: bytes) -> dict[str, str]:
        return query.fields_of(body or request.query.encode())

    def answer(self, found: Mapping[str, Any], operation: OperationModel) -> Response:
        return query.answer(found, operation, self.namespace)

    def error(self, fault: ServiceError) -> Response:
        return query.error(fault.code, fault.message, status=fault.status)


class RpcService:
    """botocore's service `name` with `operations` by their names.

    `translate` turns an error of sagedock's into the service's own, by the operation. What is not
    among `operations` goes to `other` (moto, say) or is an UnknownOperationException.
    """

    def __init__(
        self,
        name: str,
        operations: Mapping[str, Operation],
        *,
        translate: Callable[[SagedockError, OperationModel], ServiceError] | None = None,
        other: Callable[[Request, bytes], Response] | None = None,
    ) -> None:
        self._name, self._operations = name, operations
        self._translate = translate or _as_validation
        self._other = other

    @property
    def model(self) -> ServiceModel:
        """botocore's model."""
        return requests.service_model(self._name)

    def __call__(self, request: Request) -> Response:
        protocol = self._protocol(request)
        try:
            return self._answer(protocol, request)
        except SerializationError as error:
            return protocol.error(ServiceError("SerializationException", str(error)))
        except TooLargeError:
            return protocol.error(
                ServiceError(
                    "RequestEntityTooLargeException", "The request is too large", status=413
                )
            )
        except ServiceError as error:
            return protocol.error(error)
        except Exception:  # a fault of ours: told as AWS tells its own, and printed to be mended
            traceback.print_exc(file=sys.stderr)
            fault = ServiceError("InternalFailure", "A fault of sagedock's own", status=500)
            return protocol.error(fault)

    def _protocol(self, request: Request) -> Protocol_:
        if request.headers.get("smithy-protocol") == "rpc-v2-cbor":
            return Cbor()
        if "X-Amz-Target" in request.headers:
            return Json()
        return Query(self.model.metadata.get("xmlNamespace", ""))

    def _answer(self, protocol: Protocol_, request: Request) -> Response:
        body = request.whole_body()
        name = protocol.operation(request, body)
        if name not in self._operations:
            if self._other:
                return self._other(request, body)
            raise _unknown(name)
        operation = self.model.operation_model(name)
        params = protocol.params(request, body, operation.input_shape)
        try:
            requests.validate(name, params, self._name)
            found = self._operations[name](params)
        except SagedockError as error:
            raise self._translate(error, operation) from error
        return protocol.answer(found or {}, operation)


def _as_validation(error: SagedockError, operation: OperationModel) -> ServiceError:
    return ServiceError("ValidationException", error.message)


def _unknown(name: str) -> ServiceError:
    text = f"Operation {name} isn't available on this machine" if name else "No operation is named"
    return ServiceError("UnknownOperationException", text)
