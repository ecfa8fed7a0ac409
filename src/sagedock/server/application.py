"""Everything that answers here, as one Service: each request to the service it is for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from sagedock.local.client import LocalSageMaker
from sagedock.local.hosting.runtime import LocalRuntime
from sagedock.local.settings import LocalSettings
from sagedock.server import routing
from sagedock.server.messages import Request, Response, Service
from sagedock.server.protocols import json_rpc, query
from sagedock.server.services import sagemaker
from sagedock.server.services.runtime import RuntimeService

HEALTH = "/_sagedock/health"
"""Answers 200 and a JSON document; no S3 bucket can have that name."""


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """The access key that programs are given."""

    access_key: str
    secret_key: str


class LocalAWS:
    """AWS on this machine, as far as it is here. A Service; `close` lets go of everything.

    `services` take the place of, or come beside, those that are here, by the names that endpoints
    have (`routing.service_of`): any Service, a WSGI application by `wsgi.mounted`.
    """

    def __init__(
        self,
        settings: LocalSettings,
        *,
        credentials: Credentials | None = None,
        services: Mapping[str, Service] | None = None,
    ) -> None:
        self.settings = settings
        self.client = LocalSageMaker(settings)
        self.runtime = LocalRuntime(settings)
        self._services: dict[str, Service] = {
            "sagemaker": sagemaker.service(self.client),
            routing.RUNTIME: RuntimeService(self.runtime),
            **(services or {}),
        }

    def __call__(self, request: Request) -> Response:
        if request.path == HEALTH:
            return _health(self.settings)
        name = routing.service_of(request)
        service = self._services.get(name)
        return service(request) if service else _unknown(name, request)

    def close(self) -> None:
        """Let go of engine and databases; jobs and endpoints go on."""
        self.runtime.close()
        self.client.close()


def _health(settings: LocalSettings) -> Response:
    document = {"status": "up", "data": str(settings.data), "region": settings.region}
    return Response(
        headers={"Content-Type": "application/json"}, body=json.dumps(document).encode()
    )


def _unknown(name: str, request: Request) -> Response:
    text = f"The service {name} isn't available on this machine"
    if "X-Amz-Target" in request.headers:
        return json_rpc.error("UnknownOperationException", text)
    return query.error("UnknownOperationException", text)
