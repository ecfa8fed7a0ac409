"""CBOR (Smithy's rpc-v2-cbor): what newer SDKs speak to CloudWatch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sagedock.server.messages import Response
from sagedock.server.protocols.shapes import (
    Params,
    SerializationError,
    new_request_id,
    plain,
    typed,
)

if TYPE_CHECKING:
    from botocore.model import OperationModel, Shape


def params(body: bytes, shape: Shape | None) -> Params:
    """The parameters of a request. Raises SerializationError."""
    import cbor2

    try:
        document = cbor2.loads(body) if body else {}
    except (cbor2.CBORError, ValueError, RecursionError) as fault:
        raise SerializationError(f"The body is no CBOR: {fault}") from None
    if not isinstance(document, dict):
        raise SerializationError("The body is no CBOR map")
    return typed(document, shape, "") if shape is not None else {}


def answer(found: Mapping[str, Any], operation: OperationModel) -> Response:
    """An answer in CBOR: times are tag 1."""
    document = plain(found, operation.output_shape, lambda at: _Epoch(at.timestamp()))
    return _cbor(200, document)


def error(code: str, message: str, *, status: int = 400, **members: Any) -> Response:
    """An error in CBOR."""
    return _cbor(status, {"__type": code, "message": message, **members})


class _Epoch(float):
    """Seconds since the epoch, to be tagged."""


def _cbor(status: int, document: Any) -> Response:
    import cbor2

    return Response(
        status=status,
        headers={
            "Content-Type": "application/cbor",
            "smithy-protocol": "rpc-v2-cbor",
            "x-amzn-RequestId": new_request_id(),
        },
        body=cbor2.dumps(_tagged(document)),
    )


def _tagged(value: Any) -> Any:
    import cbor2

    if isinstance(value, _Epoch):
        return cbor2.CBORTag(1, float(value))
    if isinstance(value, dict):
        return {key: _tagged(item) for key, item in value.items()}
    return [_tagged(item) for item in value] if isinstance(value, list) else value
