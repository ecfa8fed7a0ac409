"""The local SageMaker Runtime: `invoke_endpoint`, by the names boto3 gives it."""

from __future__ import annotations

import http.client
import io
import random
import threading
from collections.abc import Sequence
from typing import Any

from sagedock.errors import ModelError, ValidationError
from sagedock.local.hosting.records import HostingRecords
from sagedock.local.hosting.values import Endpoint, Route
from sagedock.local.settings import LocalSettings

BODY_BYTES = 6_291_456
"""D3.9: what the API takes."""

INVOKE_SECONDS = 60.0
"""D3.8."""

_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
_INFERENCE = "X-Amzn-SageMaker-Inference-Id"
_SHOWN = 1000


class LocalRuntime:
    """Calls endpoints of this machine. Each thread keeps its connections open; `seconds` is how
    long a container may take for an answer."""

    def __init__(
        self, settings: LocalSettings | None = None, *, seconds: float = INVOKE_SECONDS
    ) -> None:
        self._settings = settings or LocalSettings.from_environment()
        self._records = HostingRecords(self._settings.data)
        self._seconds = seconds
        self._mine = threading.local()
        self._open: list[http.client.HTTPConnection] = []

    def invoke_endpoint(
        self,
        *,
        EndpointName: str,  # noqa: N803
        Body: bytes | str,  # noqa: N803
        ContentType: str | None = None,  # noqa: N803
        Accept: str | None = None,  # noqa: N803
        CustomAttributes: str | None = None,  # noqa: N803
        TargetVariant: str | None = None,  # noqa: N803
        InferenceId: str | None = None,  # noqa: N803
    ) -> dict[str, Any]:
        """InvokeEndpoint: boto3's answer, its Body a file.

        Raises ValidationError for an endpoint that is not InService, an unknown variant or a body
        too large; ResourceNotFoundError; ModelError.
        """
        body = Body.encode() if isinstance(Body, str) else bytes(Body)
        if len(body) > BODY_BYTES:
            raise ValidationError(
                f"Body has {len(body):,} bytes; an endpoint takes at most {BODY_BYTES:,} (D3.9).",
                hint="Send fewer records in one request, or use batch transform.",
            )
        route = _chosen(self._records.get(EndpointName), TargetVariant)
        headers = {
            "Content-Type": ContentType or "application/octet-stream",
            "Accept": Accept,
            _ATTRIBUTES: CustomAttributes,
            _INFERENCE: InferenceId,
        }
        given = {name: value for name, value in headers.items() if value}
        response, answer = self._post(route, body, given)
        if not 200 <= response.status < 300:
            raise _model_error(EndpointName, response.status, answer)
        return _answer(route, response, answer)

    def _post(
        self, route: Route, body: bytes, headers: dict[str, str]
    ) -> tuple[http.client.HTTPResponse, bytes]:
        connection = self._connection(route)
        kept = connection.sock is not None
        try:
            return _exchange(connection, body, headers)
        except TimeoutError as error:
            raise ModelError(
                f"The container of variant {route.variant} gave no answer within "
                f"{self._seconds:g} s (D3.8)."
            ) from error
        except (OSError, http.client.HTTPException) as error:
            if kept:  # a server may close a connection that was idle: that is no answer
                return self._post(route, body, headers)
            raise ModelError(
                f"The container of variant {route.variant} broke off: "
                f"{error or type(error).__name__}.",
                hint="See its status: sagedock endpoints",
            ) from error

    def _connection(self, route: Route) -> http.client.HTTPConnection:
        address = (route.hops[0].host, route.hops[0].port)
        mine: dict[tuple[str, int], http.client.HTTPConnection] = vars(self._mine).setdefault(
            "connections", {}
        )
        if address not in mine:
            mine[address] = http.client.HTTPConnection(*address, timeout=self._seconds)
            self._open.append(mine[address])
        return mine[address]

    def close(self) -> None:
        """Let go of connections and database; no thread may be using one."""
        for connection in self._open:
            connection.close()
        self._records.close()


def _exchange(
    connection: http.client.HTTPConnection, body: bytes, headers: dict[str, str]
) -> tuple[http.client.HTTPResponse, bytes]:
    try:
        connection.request("POST", "/invocations", body, headers)
        response = connection.getresponse()
        return response, response.read()
    except BaseException:
        connection.close()
        raise


def _chosen(endpoint: Endpoint, target: str | None) -> Route:
    if not endpoint.status.takes_requests:
        reason = f": {endpoint.failure}" if endpoint.failure else "."
        raise ValidationError(
            f"Endpoint {endpoint.name} is {endpoint.status}, not InService{reason}",
            hint="See it: sagedock endpoints",
        )
    routes: Sequence[Route] = endpoint.routes
    if target is not None:
        routes = [route for route in routes if route.variant == target]
        if not routes:
            names = ", ".join(route.variant for route in endpoint.routes)
            raise ValidationError(
                f"Endpoint {endpoint.name} has no variant {target!r}; its variants: {names}."
            )
        return routes[0]
    weights = [route.weight for route in routes]
    return random.choices(routes, weights if any(weights) else None)[0]


def _model_error(endpoint: str, status: int, body: bytes) -> ModelError:
    text = body[:_SHOWN].decode("utf-8", "replace")
    return ModelError(
        f"Received {'client' if status < 500 else 'server'} error ({status}) from primary with "
        f'message "{text}".',
        status=status,
        body=body,
        hint=f"The container's log says more: see endpoints/{endpoint}/logs in the data folder.",
    )


def _answer(route: Route, response: http.client.HTTPResponse, body: bytes) -> dict[str, Any]:
    attributes = response.getheader(_ATTRIBUTES)
    return {
        "Body": io.BytesIO(body),
        "ContentType": response.getheader("Content-Type", "application/octet-stream"),
        "InvokedProductionVariant": route.variant,
        **({"CustomAttributes": attributes} if attributes else {}),
    }
