"""The local SageMaker Runtime: methods, arguments and answers of boto3's `sagemaker-runtime`."""

from __future__ import annotations

import threading
import time
from typing import Any

from sagedock.errors import ValidationError
from sagedock.local.hosting.async_records import AsyncRecords
from sagedock.local.hosting.calls import checks, routing
from sagedock.local.hosting.calls.checks import BODY_BYTES
from sagedock.local.hosting.calls.connections import Connections, LargeError
from sagedock.local.hosting.calls.delivery import Delivered, Delivery
from sagedock.local.hosting.calls.invocation import ATTRIBUTES, DEFAULT_TYPE, Call, told
from sagedock.local.hosting.calls.routing import Target
from sagedock.local.hosting.calls.scribe import Scribe
from sagedock.local.hosting.calls.streaming import STREAM_SECONDS, EventStream, StreamingBody
from sagedock.local.hosting.keeping import keep
from sagedock.local.hosting.owner.asynchronous import submit
from sagedock.local.hosting.records import HostingRecords
from sagedock.local.settings import LocalSettings
from sagedock.store.disk import DiskStore

INVOKE_SECONDS = 60.0
"""D3.8."""

__all__ = ["BODY_BYTES", "INVOKE_SECONDS", "LocalRuntime"]


class LocalRuntime:
    """Calls endpoints of this machine, from any number of threads. `seconds` is how long a model
    may take for an answer, `stream_seconds` for a streamed one."""

    def __init__(
        self,
        settings: LocalSettings | None = None,
        *,
        seconds: float = INVOKE_SECONDS,
        stream_seconds: float = STREAM_SECONDS,
    ) -> None:
        self._settings = settings or LocalSettings.from_environment()
        self._records = HostingRecords(self._settings.data)
        self._seconds, self._stream_seconds = seconds, stream_seconds
        self._lock = threading.Lock()
        self._opened: DiskStore | None = None
        self._waiting: AsyncRecords | None = None
        self._scribe = Scribe(self._settings.data)
        self._connections = Connections()
        self._delivery = Delivery(self._settings, self._records, self._connections, self._store)

    # the API

    def invoke_endpoint(self, **request: Any) -> dict[str, Any]:
        """InvokeEndpoint: EndpointName, Body (bytes, text or a file), and of ContentType, Accept,
        CustomAttributes, TargetModel, TargetVariant, TargetContainerHostname, InferenceId what is
        not None. boto3's answer, its Body a file.

        Raises ValidationError (also for an endpoint in no status to be invoked),
        UnsupportedError, ResourceNotFoundError, ModelError.
        """
        call = self._call("InvokeEndpoint", request, self._seconds)
        delivered = self._delivery.deliver(call)
        with told(delivered.faults, delivered.shown, call.seconds):
            try:
                body = delivered.answer.whole(BODY_BYTES).content
            except LargeError:
                raise delivered.faults.large(delivered.shown, BODY_BYTES, "D3.9") from None
        if self._scribe.takes(delivered):
            self._scribe.write(delivered, call, call.message().content, body)
        return {"Body": StreamingBody(body), **_described(delivered)}

    def invoke_endpoint_with_response_stream(self, **request: Any) -> dict[str, Any]:
        """InvokeEndpointWithResponseStream: as `invoke_endpoint`, but for TargetModel; the
        answer's Body is an EventStream, whose first part comes while the model still works.

        Raises what `invoke_endpoint` raises, before the answer has begun.
        """
        call = self._call("InvokeEndpointWithResponseStream", request, self._stream_seconds)
        connections = Connections()  # the stream's own: its reader may take its time
        delivery = Delivery(self._settings, self._records, connections, self._store)
        try:
            delivered = delivery.deliver(call)
        except BaseException:
            connections.close()
            raise
        ended = None
        if self._scribe.takes(delivered):

            def ended(body: bytes) -> None:
                self._scribe.write(delivered, call, call.message().content, body)

        stream = EventStream(
            delivered.answer,
            delivered.shown,
            call.seconds,
            ended=ended,
            released=connections.close,
        )
        return {"Body": stream, **_described(delivered)}

    def invoke_endpoint_async(self, **request: Any) -> dict[str, Any]:
        """InvokeEndpointAsync: EndpointName, InputLocation or Body (128,000 bytes at most), and of
        ContentType, Accept, CustomAttributes, InferenceId, RequestTTLSeconds,
        InvocationTimeoutSeconds, Filename, S3OutputPathExtension what is not None. Returns at
        once; the endpoint's owner works the request off.

        Raises ValidationError, UnsupportedError, ResourceNotFoundError, StoreError where the
        output's bucket is unknown.
        """
        given = {name: value for name, value in request.items() if value is not None}
        body = given.pop("Body", None)
        checks.check("InvokeEndpointAsync", given)
        inline = None if body is None else checks.body(body, checks.INLINE_BYTES)
        endpoint = self._records.get(given["EndpointName"])
        routing.check_takes(endpoint)
        answer = submit(endpoint, given, inline, store=self._store(), records=self._queue())
        keep(endpoint, self._records, self._settings)
        return answer

    def close(self) -> None:
        """Let go of connections and databases; no thread may be using one."""
        self._connections.close()
        self._records.close()
        for opened in (self._opened, self._waiting):
            if opened is not None:
                opened.close()

    # parts of it

    def _call(self, operation: str, request: dict[str, Any], seconds: float) -> Call:
        given = {name: value for name, value in request.items() if value is not None}
        body = given.pop("Body", b"") if "Body" in request else None
        checks.check(operation, given)
        if body is None:
            raise ValidationError(
                f"Parameter validation failed for {operation}:\n"
                'Missing required parameter in input: "Body"'
            )
        return Call(
            endpoint=given["EndpointName"],
            body=checks.body(body),
            target=Target(
                variant=given.get("TargetVariant"),
                model=given.get("TargetModel"),
                container=given.get("TargetContainerHostname"),
            ),
            seconds=seconds,
            deadline=time.monotonic() + seconds,
            content_type=given.get("ContentType"),
            accept=given.get("Accept"),
            attributes=given.get("CustomAttributes"),
            inference_id=given.get("InferenceId"),
        )

    def _store(self) -> DiskStore:
        """The object store, opened when it is first needed."""
        with self._lock:
            if self._opened is None:
                self._opened = DiskStore(self._settings.data)
            return self._opened

    def _queue(self) -> AsyncRecords:
        with self._lock:
            if self._waiting is None:
                self._waiting = AsyncRecords(self._settings.data)
            return self._waiting


def _described(delivered: Delivered) -> dict[str, Any]:
    answer = delivered.answer
    attributes = answer.header(ATTRIBUTES)
    return {
        "ContentType": answer.header("Content-Type") or DEFAULT_TYPE,
        "InvokedProductionVariant": delivered.route.variant,
        **({"CustomAttributes": attributes} if attributes else {}),
    }
