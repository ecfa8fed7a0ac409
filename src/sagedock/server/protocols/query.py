"""The Query protocol: forms in, XML out. IAM, STS, and CloudWatch for older SDKs."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from datetime import UTC
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from sagedock.server.messages import Response
from sagedock.server.protocols.shapes import (
    DEEP,
    Params,
    SerializationError,
    new_request_id,
    scalar,
    unfit,
    wire_name,
)

if TYPE_CHECKING:
    from botocore.model import OperationModel, Shape

_FIELDS = 20_000


def fields_of(body: bytes) -> dict[str, str]:
    """The fields of a Query request, Action among them. Raises SerializationError."""
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, max_num_fields=_FIELDS, errors="strict"
        )
    except (UnicodeDecodeError, ValueError) as fault:
        raise SerializationError(f"The body is no form: {fault}") from None
    return dict(pairs)


def unflattened(fields: Mapping[str, str], shape: Shape | None) -> Params:
    """Query's flat fields (`Names.member.1`) as the parameters the shape says. Raises
    SerializationError."""
    if shape is None:
        return {}
    names = {key for key in fields if key not in {"Action", "Version"}}
    found = _gathered(dict.fromkeys(names), fields, shape, "", 0)
    return found if isinstance(found, dict) else {}


def _gathered(names: Any, fields: Mapping[str, str], shape: Shape, prefix: str, depth: int) -> Any:
    """The value below `prefix`, None where there is none."""
    if depth > DEEP or not any(name == prefix or name.startswith(f"{prefix}.") or not prefix
                                for name in names):  # fmt: skip
        return None
    match shape.type_name:
        case "structure":
            found = {}
            for name, member in shape.members.items():  # type: ignore[attr-defined]
                key = wire_name(name, member)
                below = f"{prefix}.{key}" if prefix else key
                value = _gathered(names, fields, member, below, depth + 1)
                if value is not None:
                    found[name] = value
            return found
        case "list":
            return _gathered_list(names, fields, shape, prefix, depth)
        case "map":
            return _gathered_map(names, fields, shape, prefix, depth)
    text = fields.get(prefix)
    return None if text is None else scalar(_from_text(text, shape, prefix), shape, prefix)


def _gathered_list(
    names: Any, fields: Mapping[str, str], shape: Any, prefix: str, depth: int
) -> list[Any] | None:
    below = prefix if shape.serialization.get("flattened") else f"{prefix}.member"
    numbers = _numbers(names, below)
    items = [
        _gathered(names, fields, shape.member, f"{below}.{number}", depth + 1) for number in numbers
    ]
    if not items and fields.get(prefix) is None:
        return None
    return [item for item in items if item is not None]


def _gathered_map(
    names: Any, fields: Mapping[str, str], shape: Any, prefix: str, depth: int
) -> dict[str, Any] | None:
    below = prefix if shape.serialization.get("flattened") else f"{prefix}.entry"
    found = {}
    for number in _numbers(names, below):
        key = fields.get(f"{below}.{number}.key")
        if key is not None:
            found[key] = _gathered(names, fields, shape.value, f"{below}.{number}.value", depth + 1)
    return found or None


def _numbers(names: Any, below: str) -> list[int]:
    pattern = re.compile(re.escape(below) + r"\.([1-9][0-9]{0,6})(?:\.|$)")
    return sorted({int(match.group(1)) for name in names if (match := pattern.match(name))})


def _from_text(text: str, shape: Shape, path: str) -> Any:
    try:
        match shape.type_name:
            case "integer" | "long":
                return int(text)
            case "float" | "double":
                return float(text)
            case "boolean":
                return {"true": True, "false": False}[text.lower()]
    except (ValueError, KeyError):
        raise unfit(text, path, shape.type_name) from None
    return text


def answer(found: Mapping[str, Any], operation: OperationModel, namespace: str) -> Response:
    """An answer of the Query protocol."""
    name, shape = operation.name, operation.output_shape
    result = ""
    if shape is not None:
        wrapper = shape.serialization.get("resultWrapper", f"{name}Result")
        result = f"<{wrapper}>{_xml_members(found, shape)}</{wrapper}>"
    return _xml(
        200,
        f'<{name}Response xmlns="{namespace}">{result}<ResponseMetadata><RequestId>'
        f"{new_request_id()}</RequestId></ResponseMetadata></{name}Response>",
    )


def error(code: str, message: str, *, status: int = 400) -> Response:
    """An error of the Query protocol."""
    return _xml(
        status,
        f"<ErrorResponse><Error><Type>Sender</Type><Code>{_text(code)}</Code><Message>"
        f"{_text(message)}</Message></Error><RequestId>{new_request_id()}</RequestId>"
        "</ErrorResponse>",
    )


def _xml(status: int, document: str) -> Response:
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n{document}'
    return Response(status=status, headers={"Content-Type": "text/xml"}, body=text.encode())


def _xml_members(value: Mapping[str, Any], shape: Any) -> str:
    return "".join(
        _xml_value(wire_name(name, shape.members[name]), item, shape.members[name])
        for name, item in value.items()
        if name in shape.members and item is not None
    )


def _xml_value(name: str, value: Any, shape: Any) -> str:
    match shape.type_name:
        case "structure":
            return f"<{name}>{_xml_members(value, shape)}</{name}>"
        case "list":
            if shape.serialization.get("flattened"):
                return "".join(_xml_value(name, item, shape.member) for item in value)
            inner = shape.member.serialization.get("name", "member")
            items = "".join(_xml_value(inner, item, shape.member) for item in value)
            return f"<{name}>{items}</{name}>"
        case "map":
            entries = "".join(
                f"<entry><key>{_text(key)}</key>{_xml_value('value', item, shape.value)}</entry>"
                for key, item in value.items()
            )
            return f"<{name}>{entries}</{name}>"
    return f"<{name}>{_xml_scalar(value, shape.type_name)}</{name}>"


def _xml_scalar(value: Any, kind: str) -> str:
    match kind:
        case "timestamp":
            return str(value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
        case "boolean":
            return "true" if value else "false"
        case "blob":
            return base64.b64encode(value).decode()
    return _text(str(value))


_UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _text(value: str) -> str:
    """Text that XML can hold."""
    return escape(_UNFIT.sub("�", value))
