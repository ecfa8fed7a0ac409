"""An asynchronous endpoint, called with Python values: SDK v2's AsyncPredictor."""

from __future__ import annotations

import io
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sagedock.contract.names import name_from_base
from sagedock.errors import ModelError, ResourceNotFoundError, UsageError
from sagedock.store.uri import S3Uri

if TYPE_CHECKING:
    from sagedock.launch.place import Place
    from sagedock.launch.predictor import Predictor

_LOOK_SECONDS = 0.1
_KEEP_SECONDS = 2.0


class WaiterConfig:
    """How long a result is waited for: `max_attempts` times `delay` seconds. It is looked for more
    often than that, since looking costs nothing here."""

    def __init__(self, max_attempts: int = 60, delay: float = 15) -> None:
        self.max_attempts, self.delay = max_attempts, delay


class AsyncInferenceResponse:
    """A result to come: at `output_path`, or why there is none at `failure_path`."""

    def __init__(
        self, predictor_async: AsyncPredictor, output_path: str, failure_path: str | None
    ) -> None:
        self.predictor_async = predictor_async
        self.output_path, self.failure_path = output_path, failure_path
        self._result: tuple[Any] | None = None

    def get_result(self, waiter_config: WaiterConfig | None = None) -> Any:
        """The result, waited for as long as `waiter_config` says, without one not at all.

        Raises ModelError where the invocation has failed, ResourceNotFoundError where there is no
        result yet.
        """
        if self._result is None:
            predictor = self.predictor_async.predictor
            places = (self.output_path, self.failure_path)
            session, name = predictor.sagemaker_session, predictor.endpoint_name
            body = awaited(session, name, *places, waiter_config)
            value = predictor.deserialized(io.BytesIO(body), predictor.accept or "")
            self._result = (value,)
        return self._result[0]


class AsyncPredictor:
    """Calls an asynchronous endpoint; `predictor` has its name and turns values."""

    def __init__(self, predictor: Predictor, name: str | None = None) -> None:
        self.predictor, self.name = predictor, name
        self.endpoint_name = predictor.endpoint_name
        self.sagemaker_session = predictor.sagemaker_session

    def predict(
        self,
        data: Any = None,
        input_path: str | None = None,
        initial_args: dict[str, Any] | None = None,
        inference_id: str | None = None,
        waiter_config: WaiterConfig | None = None,
    ) -> Any:
        """The model's answer, waited for. Raises as `predict_async` and `get_result` do."""
        response = self.predict_async(data, input_path, initial_args, inference_id)
        return response.get_result(waiter_config or WaiterConfig())

    def predict_async(
        self,
        data: Any = None,
        input_path: str | None = None,
        initial_args: dict[str, Any] | None = None,
        inference_id: str | None = None,
    ) -> AsyncInferenceResponse:
        """Let a request wait for the model: `data`, uploaded to `input_path` or a place of its
        own, or what lies at `input_path` already; `initial_args` go to invoke_endpoint_async.

        Raises UsageError without either, and what `LocalRuntime.invoke_endpoint_async` raises.
        """
        if data is None and input_path is None:
            raise UsageError("Give data, or input_path, the S3 URI where it lies.")
        arguments = {
            "EndpointName": self.endpoint_name,
            "ContentType": self.predictor.content_type,
            "Accept": self.predictor.accept,
            "InferenceId": inference_id,
            **(initial_args or {}),
        }
        if data is not None:
            input_path = self._upload(data, input_path, str(arguments["ContentType"]))
        answer = self.predictor.runtime.invoke_endpoint_async(InputLocation=input_path, **arguments)
        return AsyncInferenceResponse(self, answer["OutputLocation"], answer.get("FailureLocation"))

    def _upload(self, data: Any, path: str | None, content_type: str) -> str:
        place = S3Uri.parse(path) if path else self._own_place()
        self.sagemaker_session.put(place, self.predictor.serialized(data, content_type))
        return str(place)

    def _own_place(self) -> S3Uri:
        folder = name_from_base(self.name or self.endpoint_name, datetime.now(UTC))
        bucket = S3Uri(self.sagemaker_session.default_bucket())
        return bucket.join("async-endpoint-inputs", folder, str(uuid4()))

    def delete_endpoint(self, delete_endpoint_config: bool = True) -> None:
        """As the Predictor's."""
        self.predictor.delete_endpoint(delete_endpoint_config)

    def delete_model(self) -> None:
        """As the Predictor's."""
        self.predictor.delete_model()

    def close(self) -> None:
        """Let go of connections; the endpoint goes on."""
        self.predictor.close()


def awaited(
    session: Place,
    endpoint: str,
    output: str,
    failure: str | None,
    waiter: WaiterConfig | None,
) -> bytes:
    """The object `output` of an endpoint when it is there. Raises ModelError with the text of
    `failure` where that is there, ResourceNotFoundError when the waiting is over (None: at once).
    """
    until = time.monotonic() + (waiter.delay * waiter.max_attempts if waiter else 0)
    next_look = 0.0
    while True:
        found = session.read_if_there(output)
        if found is not None:
            return found
        told = session.read_if_there(failure) if failure else None
        if told is not None:
            raise ModelError(told.decode("utf-8", "replace").strip(), body=told)
        if time.monotonic() >= until:
            raise ResourceNotFoundError(
                f"No object {output} yet: inference could still be running.",
                hint="Ask again later, or wait: get_result(WaiterConfig(…)).",
            )
        if time.monotonic() >= next_look:
            session.keep(endpoint)
            next_look = time.monotonic() + _KEEP_SECONDS
        time.sleep(_LOOK_SECONDS)
