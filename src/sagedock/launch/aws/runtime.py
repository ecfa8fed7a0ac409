"""Endpoints on AWS, called as LocalRuntime calls those of this machine: the same methods, answers
and errors."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sagedock.aws.account import Account
from sagedock.aws.calls import code_of, configured, translated
from sagedock.aws.streams import events, whole
from sagedock.errors import AwsError, ModelError, ModelNotReadyError, ModelStreamError

_READ_SECONDS = 70  # D3.8: the service itself gives a model 60 s
_STREAM_SECONDS = 490


class AwsRuntime:
    """Calls endpoints. Nothing is sent twice: whether a model was asked can't be known of a
    connection that broke off."""

    def __init__(self, account: Account) -> None:
        def client(seconds: float) -> Any:
            once = {"total_max_attempts": 1}
            return configured(account, "sagemaker-runtime", read_timeout=seconds, retries=once)

        self._plain, self._streaming = client(_READ_SECONDS), client(_STREAM_SECONDS)

    def invoke_endpoint(self, **request: Any) -> Mapping[str, Any]:
        """InvokeEndpoint. Raises ModelError with the container's status and answer,
        ResourceNotFoundError, ValidationError, AwsError."""
        with _told("InvokeEndpoint"):
            found: Mapping[str, Any] = self._plain.invoke_endpoint(**_given(request))
        return {**found, "Body": io.BytesIO(whole(found["Body"]))}

    def invoke_endpoint_async(self, **request: Any) -> Mapping[str, Any]:
        """InvokeEndpointAsync. Raises ResourceNotFoundError, ValidationError, AwsError."""
        with _told("InvokeEndpointAsync"):
            found: Mapping[str, Any] = self._plain.invoke_endpoint_async(**_given(request))
        return found

    def invoke_endpoint_with_response_stream(self, **request: Any) -> Mapping[str, Any]:
        """InvokeEndpointWithResponseStream: its `Body` is an iterator of events. Raises as
        `invoke_endpoint` does."""
        with _told("InvokeEndpointWithResponseStream"):
            answer = self._streaming.invoke_endpoint_with_response_stream(**_given(request))
        return {**answer, "Body": _events(answer["Body"])}

    def close(self) -> None:
        """Let go of connections."""
        self._plain.close()
        self._streaming.close()


def _given(request: Mapping[str, Any]) -> dict[str, Any]:
    """botocore knows no None."""
    return {name: value for name, value in request.items() if value is not None}


def _events(stream: Any) -> Iterator[Any]:
    with _told("InvokeEndpointWithResponseStream"):
        yield from events(stream)


@contextmanager
def _told(word: str) -> Iterator[None]:
    try:
        with translated(word):
            yield
    except AwsError as error:
        found = _model_error(error)
        if found is None:
            raise
        raise found from error.__cause__


def _model_error(error: AwsError) -> ModelError | None:
    response = getattr(error.__cause__, "response", None) or {}
    message = response.get("Error", {}).get("Message", error.message)
    match code_of(error):
        case "ModelError":
            return ModelError(
                message,
                status=int(response.get("OriginalStatusCode", 0)),
                body=str(response.get("OriginalMessage", "")).encode(),
                log_stream=str(response.get("LogStreamArn", "")),
            )
        case "ModelNotReadyException":
            return ModelNotReadyError(message)
        case "ModelStreamError" | "InternalStreamFailure":
            word = str(response.get("ErrorCode", "StreamBroken"))
            return ModelStreamError(message, error_code=word)
    return None
