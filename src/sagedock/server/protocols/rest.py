"""REST-JSON: operations by method and path; members in the path, in header fields, in the body."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from sagedock.server.messages import Request
from sagedock.server.protocols.shapes import Params, SerializationError, unfit

if TYPE_CHECKING:
    from botocore.model import OperationModel, ServiceModel, Shape

_FIELD = re.compile(r"\{(\w+)\+?\}")


def operation_of(model: ServiceModel, request: Request) -> tuple[str, dict[str, str]] | None:
    """The operation that a request's method and path name, and the values in its path."""
    for name in model.operation_names:
        http = model.operation_model(name).http
        if http["method"] != request.method:
            continue
        pattern = _FIELD.sub(r"(?P<\1>[^/]+)", http["requestUri"].partition("?")[0])
        match = re.fullmatch(pattern, request.path)
        if match:
            return name, {key: unquote(text) for key, text in match.groupdict().items()}
    return None


def params(request: Request, places: Mapping[str, str], shape: Any) -> Params:
    """The parameters but for the payload. Raises SerializationError."""
    found: Params = {}
    for name, member in shape.members.items():
        where, key = member.serialization.get("location"), member.serialization.get("name", name)
        text = places.get(key) if where == "uri" else None
        text = request.headers.get(key) if where == "header" else text
        if text is not None:
            found[name] = _from_text(text, member, name)
    return found


def _from_text(text: str, shape: Shape, name: str) -> Any:
    try:
        match shape.type_name:
            case "integer" | "long":
                return int(text)
            case "boolean":
                return {"true": True, "false": False}[text.lower()]
    except (ValueError, KeyError):
        raise unfit(text, name, shape.type_name) from None
    return text


def header_fields(answer: Mapping[str, Any], operation: OperationModel) -> dict[str, str]:
    """The answer's members that travel in header fields. Raises SerializationError for text that
    no field can hold."""
    shape: Any = operation.output_shape
    found = {}
    for name, member in shape.members.items():
        if member.serialization.get("location") == "header" and answer.get(name) is not None:
            text = str(answer[name])
            if not text.isascii():
                raise SerializationError(f"{name} is {text[:80]!r}: expected ASCII")
            found[member.serialization.get("name", name)] = text
    return found
