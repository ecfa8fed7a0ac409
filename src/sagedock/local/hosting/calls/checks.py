"""Whether a call of the SageMaker Runtime API is one that the service would take.

What the service's own model says, and what this machine can't do, which is refused by name. A
caller tends to send the same headers again and again: those are checked once.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from sagedock import requests
from sagedock.errors import UnsupportedError, ValidationError

BODY_BYTES = 6_291_456
"""D3.9: what the API takes, and what it gives back."""

INLINE_BYTES = 128_000
"""D4.1: what InvokeEndpointAsync takes as Body."""

_SERVICE = "sagemaker-runtime"
_CACHED = 1024
_REFUSED = {
    "EnableExplanations": "explanations (EnableExplanations)",
    "SessionId": "stateful sessions (SessionId)",
    "InferenceComponentName": "inference components (InferenceComponentName)",
    "PrefixAwareId": "prefix-aware routing (PrefixAwareId)",
}
_ADVICE = {
    BODY_BYTES: "Send fewer records in one request, or use batch transform.",
    INLINE_BYTES: "Upload it, and name it by InputLocation.",
}


def body(given: Any, limit: int = BODY_BYTES) -> bytes:
    """A request's Body (bytes, text or a file) as bytes. Raises ValidationError where it is too
    large or none of these."""
    content = given.read() if hasattr(given, "read") else given
    if isinstance(content, str):
        content = content.encode()
    if not isinstance(content, bytes | bytearray):
        raise ValidationError(
            f"Body is of type {type(content).__name__}: expected bytes, text or a file."
        )
    if len(content) > limit:
        raise ValidationError(
            f"Body has {len(content):,} bytes; an endpoint takes at most {limit:,} "
            f"({'D3.9' if limit == BODY_BYTES else 'D4.1'}).",
            hint=_ADVICE[limit],
        )
    return bytes(content)


def check(operation: str, request: Mapping[str, Any]) -> None:
    """Raise ValidationError for what the service would refuse in a request's members but Body,
    UnsupportedError for what can't be had on this machine."""
    try:
        _check_once(operation, tuple(request.items()))
    except TypeError:  # a value that can't be remembered, and so of no type that the model has
        _check(operation, request)


@lru_cache(_CACHED)
def _check_once(operation: str, items: tuple[tuple[str, Any], ...]) -> None:
    _check(operation, dict(items))


def _check(operation: str, request: Mapping[str, Any]) -> None:
    shape = requests.service_model(_SERVICE).operation_model(operation).input_shape
    needs_body = shape is not None and "Body" in shape.required_members
    requests.validate(operation, {**request, **({"Body": b""} if needs_body else {})}, _SERVICE)
    for name, value in request.items():
        if isinstance(value, str) and not value.isprintable():
            raise ValidationError(f"{name} is {value[:80]!r}: expected visible characters only.")
    found = [text for name, text in _REFUSED.items() if request.get(name) is not None]
    if found:
        raise UnsupportedError(
            f"This request asks for what can't be done here: {'; '.join(found)}.",
            hint="Leave it out to call an endpoint of this machine.",
        )
