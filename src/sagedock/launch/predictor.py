"""A live endpoint, called with Python values: SDK v2's Predictor."""

from __future__ import annotations

import io
import json
import time
from typing import Any

from sagedock.errors import JobFailedError, ModelError, UsageError
from sagedock.launch.session import Session
from sagedock.local.hosting.runtime import LocalRuntime
from sagedock.local.hosting.values import EndpointStatus

CSV, JSON, NPY = "text/csv", "application/json", "application/x-npy"
_POLL_SECONDS = 0.05
_SHOWN = 200


class Predictor:
    """Calls the endpoint `endpoint_name`. What is sent and what comes back is turned by content
    type: text/csv (rows as lists, or text), application/json, application/x-npy; bytes go as they
    are, and other answers come as bytes."""

    def __init__(
        self,
        endpoint_name: str,
        sagemaker_session: Session | None = None,
        *,
        content_type: str = CSV,
        accept: str | None = None,
    ) -> None:
        self.sagemaker_session = sagemaker_session or Session()
        self.endpoint_name, self.content_type, self.accept = endpoint_name, content_type, accept
        self._runtime = LocalRuntime(self.sagemaker_session.settings)

    def predict(
        self,
        data: Any,
        initial_args: dict[str, Any] | None = None,
        target_variant: str | None = None,
        inference_id: str | None = None,
    ) -> Any:
        """The model's answer for `data`; `initial_args` go to invoke_endpoint. Raises what
        `LocalRuntime.invoke_endpoint` raises, UsageError for data that can't be sent."""
        given = dict(initial_args or {})
        given.setdefault("ContentType", self.content_type)
        given.setdefault("Accept", self.accept)
        given.setdefault("TargetVariant", target_variant)
        given.setdefault("InferenceId", inference_id)
        given.setdefault("Body", serialize(data, given["ContentType"]))
        answer = self._runtime.invoke_endpoint(EndpointName=self.endpoint_name, **given)
        return deserialize(answer["Body"].read(), answer["ContentType"])

    def delete_endpoint(self, delete_endpoint_config: bool = True) -> None:
        """DeleteEndpoint, and its configuration; returns when its containers are gone."""
        client = self.sagemaker_session.sagemaker_client
        config = client.describe_endpoint(EndpointName=self.endpoint_name)["EndpointConfigName"]
        client.delete_endpoint(EndpointName=self.endpoint_name)
        while any(item.name == self.endpoint_name for item in client.endpoints()):
            time.sleep(_POLL_SECONDS)
        if delete_endpoint_config:
            client.delete_endpoint_config(EndpointConfigName=config)

    def close(self) -> None:
        """Let go of connections; the endpoint goes on."""
        self._runtime.close()


def wait_until_in_service(session: Session, name: str) -> None:
    """Until an endpoint is InService. Raises JobFailedError with its FailureReason."""
    client = session.sagemaker_client
    while (endpoint := client.endpoint(name)).status is EndpointStatus.CREATING:
        time.sleep(_POLL_SECONDS)
    if endpoint.status is not EndpointStatus.IN_SERVICE:
        reason = endpoint.failure or "it is being deleted."
        raise JobFailedError(
            f"Endpoint {name} is {endpoint.status}: {reason}",
            hint=f"Delete it when you have seen enough: sagedock delete-endpoint {name}",
        )


def serialize(data: Any, content_type: str) -> bytes:
    """`data` as a request's body. Raises UsageError for what the type has no form for."""
    if isinstance(data, bytes | bytearray):
        return bytes(data)
    if content_type == JSON:
        return json.dumps(data.tolist() if hasattr(data, "tolist") else data).encode()
    if content_type == NPY:
        import numpy

        buffer = io.BytesIO()
        numpy.save(buffer, numpy.asarray(data), allow_pickle=False)
        return buffer.getvalue()
    if isinstance(data, str):
        return data.encode()
    if content_type == CSV:
        return _csv(data.tolist() if hasattr(data, "tolist") else list(data)).encode()
    raise UsageError(
        f"{type(data).__name__} can't be sent as {content_type}.",
        hint=f"Send bytes or text, or choose {CSV}, {JSON} or {NPY} as content type.",
    )


def _csv(rows: list[Any]) -> str:
    import csv

    if rows and not isinstance(rows[0], list | tuple):
        rows = [rows]  # one record
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def deserialize(body: bytes, content_type: str) -> Any:
    """A response's body: rows of text, a JSON document, an array, or bytes."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == JSON:
        try:
            return json.loads(body)
        except ValueError as error:
            shown = body[:_SHOWN].decode("utf-8", "replace")
            raise ModelError(
                f"The model's answer is called {JSON} but is none: {error}; it begins {shown!r}.",
                body=body,
                hint="Let the handler say what it answers, or ask for another type: accept=….",
            ) from error
    if kind == CSV:
        import csv

        return list(csv.reader(io.StringIO(body.decode())))
    if kind == NPY:
        import numpy

        return numpy.load(io.BytesIO(body), allow_pickle=False)
    return body
