"""Values by botocore's shapes: what a body holds as the types a shape says, and back. Must not know
any protocol or service."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    from botocore.model import Shape

Params = dict[str, Any]
DEEP = 60
"""How deep a request may be nested."""


class SerializationError(Exception):
    """A body that is not what the protocol or the shape says."""


def new_request_id() -> str:
    """An x-amzn-RequestId."""
    return str(uuid4())


def typed(value: Any, shape: Shape, path: str, depth: int = 0) -> Any:
    """A JSON or CBOR value as the type the shape says. Members the shape doesn't have are left out,
    as AWS leaves them. Raises SerializationError."""
    if depth > DEEP:
        raise SerializationError(f"{path} is nested too deep")
    match shape.type_name:
        case "structure":
            if getattr(shape, "is_document_type", False):
                return value
            members = _mapping(value, path)
            known = shape.members  # type: ignore[attr-defined]
            named = {wire_name(name, member): (name, member) for name, member in known.items()}
            return {
                named[key][0]: typed(item, named[key][1], f"{path}.{key}".lstrip("."), depth + 1)
                for key, item in members.items()
                if key in named and item is not None
            }
        case "list":
            if not isinstance(value, list):
                raise unfit(value, path, "a list")
            member = shape.member  # type: ignore[attr-defined]
            return [
                typed(item, member, f"{path}.{number}", depth + 1)
                for number, item in enumerate(value)
                if item is not None
            ]
        case "map":
            member = shape.value  # type: ignore[attr-defined]
            return {
                key: typed(item, member, f"{path}.{key}", depth + 1)
                for key, item in _mapping(value, path).items()
                if item is not None
            }
    return scalar(value, shape, path)


def wire_name(name: str, member: Shape) -> str:
    """What a member is called in bodies."""
    found: str = member.serialization.get("name", name)
    return found


def _mapping(value: Any, path: str) -> Mapping[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise unfit(value, path, "an object")
    return value


def scalar(value: Any, shape: Shape, path: str) -> Any:
    """A value that holds no others, as the type the shape says. Raises SerializationError."""
    wanted, fits, convert = _SCALARS.get(shape.type_name, (shape.type_name, _never, str))
    if not fits(value):
        raise unfit(value, path, wanted)
    try:
        return convert(value)
    except (ValueError, OverflowError, OSError, TypeError):
        raise unfit(value, path, wanted) from None


def _never(_: Any) -> bool:
    return False


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return _is_number(value) and (isinstance(value, int) or value.is_integer())


def _moment(value: Any) -> datetime:
    if _is_number(value):
        return datetime.fromtimestamp(value, UTC)
    found = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _blob(value: Any) -> bytes:
    return value if isinstance(value, bytes) else base64.b64decode(value, validate=True)


def _is_moment(value: Any) -> bool:
    return _is_number(value) or isinstance(value, str | datetime)


_Scalar = tuple[str, Callable[[Any], bool], Callable[[Any], Any]]
_TEXT: _Scalar = ("a string", lambda value: isinstance(value, str), str)
_WHOLE: _Scalar = ("an integer", _is_whole, int)
_NUMBER: _Scalar = ("a number", _is_number, float)
_SCALARS: dict[str, _Scalar] = {
    "string": _TEXT,
    "character": _TEXT,
    "integer": _WHOLE,
    "long": _WHOLE,
    "float": _NUMBER,
    "double": _NUMBER,
    "boolean": ("true or false", lambda value: isinstance(value, bool), bool),
    "timestamp": ("a time", _is_moment, _moment),
    "blob": ("Base64", lambda value: isinstance(value, str | bytes), _blob),
}


def unfit(value: Any, path: str, wanted: str) -> SerializationError:
    """What to raise for a value of another type."""
    shown = repr(value)
    return SerializationError(f"{path or 'The body'} is {shown[:80]}: expected {wanted}")


def plain(value: Any, shape: Shape | None, moment: Callable[[datetime], Any]) -> Any:
    """An answer by its shape: nothing that is None or that the shape doesn't have, times as
    `moment` writes them."""
    if shape is None:
        return {}
    match shape.type_name:
        case "structure" if not getattr(shape, "is_document_type", False):
            known = shape.members  # type: ignore[attr-defined]
            return {
                wire_name(name, known[name]): plain(item, known[name], moment)
                for name, item in value.items()
                if name in known and item is not None
            }
        case "list":
            return [plain(item, shape.member, moment) for item in value]  # type: ignore[attr-defined]
        case "map":
            return {key: plain(item, shape.value, moment) for key, item in value.items()}  # type: ignore[attr-defined]
        case "timestamp":
            return moment(value)
    return value
