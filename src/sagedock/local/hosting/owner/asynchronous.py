"""Asynchronous inference: requests that wait in the endpoint's queue, and how one is worked off.

Source: D4.1, InvokeEndpointAsync in the API reference.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import IO, Any
from uuid import uuid4

from sagedock.errors import UnsupportedError, ValidationError
from sagedock.local.hosting.async_records import AsyncRecords, AsyncRequest
from sagedock.local.hosting.calls.delivery import Delivered, Delivery
from sagedock.local.hosting.calls.invocation import Call, told
from sagedock.local.hosting.calls.routing import Target
from sagedock.local.hosting.calls.scribe import Scribe
from sagedock.local.hosting.values import Endpoint
from sagedock.store.disk import DiskStore
from sagedock.store.uri import SCHEME, S3Uri

TIMEOUT_SECONDS = 900.0
TTL_SECONDS = 21_600.0
INPUT_BYTES = 1 << 30
"""D4.1."""


def submit(
    endpoint: Endpoint,
    given: Mapping[str, Any],
    body: bytes | None,
    *,
    store: DiskStore,
    records: AsyncRecords,
) -> dict[str, Any]:
    """Let a valid InvokeEndpointAsync request wait; boto3's answer. Raises ValidationError,
    UnsupportedError, StoreError for an unknown bucket of the output."""
    config = endpoint.request.get("AsyncInferenceConfig")
    if not config:
        raise ValidationError(
            f"Endpoint {endpoint.name} is no asynchronous endpoint: its configuration has no "
            "AsyncInferenceConfig.",
            hint="Call invoke_endpoint, or deploy with AsyncInferenceConfig.",
        )
    _check_input(given, body)
    identity = given.get("InferenceId") or str(uuid4())
    output, failure = _places(config["OutputConfig"], given, identity)
    for place in filter(None, (output, failure)):
        store.as_folder(place.bucket)
    records.add(
        AsyncRequest(
            endpoint=endpoint.name,
            inference_id=identity,
            created=time.time(),
            ttl=given.get("RequestTTLSeconds", TTL_SECONDS),
            timeout=given.get("InvocationTimeoutSeconds", TIMEOUT_SECONDS),
            input=given.get("InputLocation"),
            body=body,
            content_type=given.get("ContentType"),
            accept=given.get("Accept"),
            attributes=given.get("CustomAttributes"),
            output=str(output),
            failure=str(failure) if failure else None,
        )
    )
    answer = {"InferenceId": identity, "OutputLocation": str(output)}
    return {**answer, **({"FailureLocation": str(failure)} if failure else {})}


def _check_input(given: Mapping[str, Any], body: bytes | None) -> None:
    place = given.get("InputLocation")
    if (place is None) == (body is None):
        raise ValidationError("Exactly one of InputLocation and Body must be given.")
    if place is not None and not place.startswith(SCHEME):
        raise UnsupportedError(
            f"InputLocation {place!r} can't be read here: expected an s3:// URI."
        )
    if place is not None:
        S3Uri.parse(place)


def _places(
    config: Mapping[str, Any], given: Mapping[str, Any], identity: str
) -> tuple[S3Uri, S3Uri | None]:
    """Where output and failure of a request go."""
    if not config.get("S3OutputPath"):
        raise UnsupportedError(
            "The endpoint's AsyncInferenceConfig has no S3OutputPath, which is needed here.",
            hint="Say where answers go: OutputConfig={'S3OutputPath': 's3://…'}.",
        )
    extension = given.get("S3OutputPathExtension", "")
    output = S3Uri.parse(config["S3OutputPath"]).join(
        extension, given.get("Filename") or f"{identity}.out"
    )
    failed = config.get("S3FailurePath")
    return output, S3Uri.parse(failed).join(f"{identity}-error.out") if failed else None


class Worker:
    """Has requests answered, one at a time in each thread."""

    def __init__(self, delivery: Delivery, store: DiskStore, scribe: Scribe) -> None:
        self._delivery, self._store, self._scribe = delivery, store, scribe

    def invoke(self, request: AsyncRequest) -> None:
        """Write a request's output. Raises SagedockError where there is none to be had."""
        if request.is_expired:
            raise ValidationError(
                f"The request has expired: it has waited for more than {request.ttl:g} s "
                "(RequestTTLSeconds)."
            )
        if request.input is None:
            self._ask(request, request.body or b"", None)
            return
        place = S3Uri.parse(request.input)
        size = self._store.head(place).size
        if size > INPUT_BYTES:
            raise ValidationError(
                f"{place} has {size:,} bytes; an asynchronous endpoint takes at most "
                f"{INPUT_BYTES:,} (D4.1)."
            )
        with self._store.open(place) as body:
            self._ask(request, body, size)

    def _ask(self, request: AsyncRequest, body: bytes | IO[bytes], size: int | None) -> None:
        """The answer streams into its object, which appears whole or not at all."""
        call = Call(
            endpoint=request.endpoint,
            body=body,
            size=size,
            target=Target(),
            seconds=request.timeout,
            deadline=time.monotonic() + request.timeout,
            content_type=request.content_type,
            accept=request.accept,
            attributes=request.attributes,
            inference_id=request.inference_id,
            asynchronous=True,
        )
        delivered = self._delivery.deliver(call)
        output = S3Uri.parse(request.output)
        with (
            told(delivered.faults, delivered.shown, call.seconds),
            self._store.writer(output) as stream,
        ):
            for part in delivered.answer.parts():
                stream.write(part)
        if self._scribe.takes(delivered):
            self._capture(call, delivered, output)

    def _capture(self, call: Call, delivered: Delivered, output: S3Uri) -> None:
        if not isinstance(call.body, bytes):
            call.body.seek(0)
        sent = call.message().content
        with self._store.open(output) as stream:
            self._scribe.write(delivered, call, sent, stream.read())

    def fail(self, request: AsyncRequest, reason: str) -> None:
        """Write a request's failure, where those are wanted. Raises StoreError, OutputError."""
        if request.failure:
            self._store.put(S3Uri.parse(request.failure), f"{reason}\n".encode())
