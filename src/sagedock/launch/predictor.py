"""A live endpoint, called with Python values: SDK v2's Predictor."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from typing import IO, Any

from sagedock.errors import ModelError, UsageError
from sagedock.launch.async_predictor import AsyncInferenceResponse, AsyncPredictor, WaiterConfig
from sagedock.launch.deserializers import Deserializer
from sagedock.launch.iterators import ByteIterator
from sagedock.launch.place import Place, place_of
from sagedock.launch.serializers import Serializer

__all__ = [
    "AsyncInferenceResponse", "AsyncPredictor", "Predictor", "WaiterConfig", "deserialize",
    "serialize",
]  # fmt: skip

CSV, JSON, NPY = "text/csv", "application/json", "application/x-npy"
_SHOWN = 200


class Predictor:
    """Calls the endpoint `endpoint_name`. `serializer` and `deserializer` turn what is sent and
    what comes back: SDK v2's or any like them. Without them the content types do: text/csv (rows
    as lists, or text), application/json, application/x-npy; bytes go as they are, and other
    answers come as bytes."""

    def __init__(
        self,
        endpoint_name: str,
        sagemaker_session: Place | None = None,
        serializer: Serializer | None = None,
        deserializer: Deserializer | None = None,
        *,
        content_type: str | None = None,
        accept: str | None = None,
    ) -> None:
        self.sagemaker_session = place_of(sagemaker_session)
        self.endpoint_name = endpoint_name
        self.serializer, self.deserializer = serializer, deserializer
        self._content_type, self._accept = content_type, accept
        self.runtime = self.sagemaker_session.runtime()

    @property
    def content_type(self) -> str:
        """The content type of what is sent."""
        return self._content_type or (self.serializer.CONTENT_TYPE if self.serializer else CSV)

    @property
    def accept(self) -> str | None:
        """The content types of what may come back."""
        if self._accept or self.deserializer is None:
            return self._accept
        wanted = self.deserializer.ACCEPT
        return wanted if isinstance(wanted, str) else ", ".join(wanted)

    def predict(
        self,
        data: Any,
        initial_args: dict[str, Any] | None = None,
        target_model: str | None = None,
        target_variant: str | None = None,
        inference_id: str | None = None,
        custom_attributes: str | None = None,
        *,
        target_container_hostname: str | None = None,
    ) -> Any:
        """The model's answer for `data`; `initial_args` go to invoke_endpoint. Raises what
        `LocalRuntime.invoke_endpoint` raises, UsageError for data that can't be sent."""
        given = self._given(
            data,
            initial_args,
            TargetModel=target_model,
            TargetVariant=target_variant,
            InferenceId=inference_id,
            CustomAttributes=custom_attributes,
            TargetContainerHostname=target_container_hostname,
        )
        answer = self.runtime.invoke_endpoint(EndpointName=self.endpoint_name, **given)
        return self.deserialized(answer["Body"], answer["ContentType"])

    def predict_stream(
        self,
        data: Any,
        initial_args: dict[str, Any] | None = None,
        target_variant: str | None = None,
        inference_id: str | None = None,
        custom_attributes: str | None = None,
        *,
        target_container_hostname: str | None = None,
        iterator: Callable[[Any], Iterator[Any]] = ByteIterator,
    ) -> Iterator[Any]:
        """The model's answer for `data` as it comes: its parts, or what `iterator` (LineIterator,
        or another of SDK v2's) makes of the events. Raises what
        `LocalRuntime.invoke_endpoint_with_response_stream` raises; ModelStreamError on the way."""
        given = self._given(
            data,
            initial_args,
            TargetVariant=target_variant,
            InferenceId=inference_id,
            CustomAttributes=custom_attributes,
            TargetContainerHostname=target_container_hostname,
        )
        answer = self.runtime.invoke_endpoint_with_response_stream(
            EndpointName=self.endpoint_name, **given
        )
        return iterator(answer["Body"])

    def _given(self, data: Any, initial: dict[str, Any] | None, **others: Any) -> dict[str, Any]:
        defaults = {"ContentType": self.content_type, "Accept": self.accept, **others}
        given = {**defaults, **(initial or {})}
        if "Body" not in given:
            given["Body"] = self.serialized(data, given["ContentType"])
        return given

    def serialized(self, data: Any, content_type: str) -> bytes:
        """`data` as a request's body. Raises UsageError for what it can't be sent as."""
        if self.serializer is None:
            return serialize(data, content_type)
        body = self.serializer.serialize(data)
        if hasattr(body, "read"):
            body = body.read()
        return body.encode() if isinstance(body, str) else bytes(body)

    def deserialized(self, body: IO[bytes], content_type: str) -> Any:
        """An answer's body as a value. Raises ModelError where it is not what it says."""
        if self.deserializer is not None:
            return self.deserializer.deserialize(body, content_type)
        return deserialize(body.read(), content_type)

    def delete_endpoint(self, delete_endpoint_config: bool = True) -> None:
        """DeleteEndpoint, and its configuration; returns when its containers are gone."""
        client = self.sagemaker_session.sagemaker_client
        config = client.describe_endpoint(EndpointName=self.endpoint_name)["EndpointConfigName"]
        client.delete_endpoint(EndpointName=self.endpoint_name)
        self.sagemaker_session.wait_until_gone(self.endpoint_name)
        if delete_endpoint_config:
            client.delete_endpoint_config(EndpointConfigName=config)

    def delete_model(self) -> None:
        """DeleteModel of every model that the endpoint serves; their artifacts stay."""
        client = self.sagemaker_session.sagemaker_client
        config = client.describe_endpoint(EndpointName=self.endpoint_name)["EndpointConfigName"]
        described = client.describe_endpoint_config(EndpointConfigName=config)
        names = {variant["ModelName"] for variant in described["ProductionVariants"]}
        for name in sorted(names):
            client.delete_model(ModelName=name)

    def close(self) -> None:
        """Let go of connections; the endpoint goes on."""
        self.runtime.close()


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
