"""JSON 1.1: requests and answers of most of AWS's services."""

from __future__ import annotations

import base64
import json
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

_TYPE = "application/x-amz-json-1.1"


def params(body: bytes, shape: Shape | None) -> Params:
    """The parameters of a request. Raises SerializationError."""
    try:
        document = json.loads(body or b"{}")
    except (ValueError, RecursionError) as fault:
        raise SerializationError(f"The body is no JSON: {fault}") from None
    if not isinstance(document, dict):
        raise SerializationError("The body is no JSON object")
    if b"\\ud" in body.lower() and not _is_text(document):
        raise SerializationError("The body has half a surrogate pair, which is no character")
    return typed(document, shape, "") if shape is not None else {}


def _is_text(document: Any) -> bool:
    """Whether all its strings can be written down: JSON can spell some that can't."""
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def answer(found: Mapping[str, Any], operation: OperationModel) -> Response:
    """An answer in JSON 1.1."""
    document = plain(found, operation.output_shape, lambda at: round(at.timestamp(), 3))
    return Response(
        headers={
            "Content-Type": _TYPE,
            "x-amzn-RequestId": new_request_id(),
        },
        body=json.dumps(document, default=_json_blob).encode(),
    )


def _json_blob(value: Any) -> Any:
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def error(code: str, message: str, *, status: int = 400, **members: Any) -> Response:
    """An error in JSON 1.1."""
    document = {"__type": code, "message": message, **members}
    return Response(
        status=status,
        headers={
            "Content-Type": _TYPE,
            "x-amzn-RequestId": new_request_id(),
            "x-amzn-ErrorType": code,
        },
        body=json.dumps(document, default=_json_blob).encode(),
    )
