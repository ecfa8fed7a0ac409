"""Everything that answers here, as one Service: each request to the service it is for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from sagedock.local.client import LocalSageMaker
from sagedock.local.hosting.calls.runtime import LocalRuntime
from sagedock.local.settings import LocalSettings
from sagedock.server import routing
from sagedock.server.keeper import Keeper
from sagedock.server.messages import Request, Response, Service
from sagedock.server.protocols import json_rpc, query
from sagedock.server.registry.engine import RegistryEngine
from sagedock.server.registry.local import LocalRegistry
from sagedock.server.s3.service import S3Service
from sagedock.server.services import iam, logs, monitoring, sagemaker, sts
from sagedock.server.services.kept import KeptService
from sagedock.server.services.runtime import RuntimeService

HEALTH = "/_sagedock/health"
"""Answers 200 and a JSON document; no S3 bucket can have that name."""

CONTAINER_HOST = "host.docker.internal"
"""By this name containers reach this machine."""


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """The access key that programs are given."""

    access_key: str
    secret_key: str


class LocalAWS:
    """AWS on this machine, as far as it is here. A Service; `close` lets go of everything.

    `services` take the place of, or come beside, those that are here, by the names that endpoints
    have (`routing.service_of`); `fallback` gets what is for none of them: any Service, a WSGI
    application by `wsgi.mounted`. `container_endpoint` is the URL at which containers reach this,
    None where they don't: jobs and endpoints made here get it and the credentials.
    """

    def __init__(
        self,
        settings: LocalSettings,
        *,
        credentials: Credentials | None = None,
        services: Mapping[str, Service] | None = None,
        fallback: Service | None = None,
        container_endpoint: str | None = None,
    ) -> None:
        self.settings = settings
        self._fallback = fallback
        self.registry = LocalRegistry(settings)
        settings = replace(settings, registry=self.registry.address)
        self.client = LocalSageMaker(
            _for_containers(settings, container_endpoint, credentials),
            engine=RegistryEngine.connecting(self.registry),
        )
        self.runtime = LocalRuntime(settings)
        self._services: dict[str, Service] = {
            "sagemaker": sagemaker.service(self.client),
            routing.RUNTIME: RuntimeService(self.runtime),
            "sts": sts.service(settings),
            "iam": iam.service(settings),
            "logs": logs.service(settings),
            "monitoring": monitoring.service(settings),
            "ecr": self.registry.service,
            routing.S3: S3Service(
                self.client.store,
                region=settings.region,
                credentials=credentials,
                account=settings.account,
            ),
            **(services or {}),
        }
        self.registry.start()
        self._keeper = Keeper(self.client)

    def __call__(self, request: Request) -> Response:
        if request.path == HEALTH:
            return _health(self.settings)
        name = routing.service_of(request)
        service = self._services.get(name) or self._fallback
        return service(request) if service else _unknown(name, request)

    def close(self) -> None:
        """Let go of engine and databases; jobs and endpoints go on."""
        self._keeper.close()
        for service in self._services.values():
            if isinstance(service, KeptService | S3Service):
                service.close()
        self.registry.close()
        self.runtime.close()
        self.client.close()


def _for_containers(
    settings: LocalSettings, endpoint: str | None, credentials: Credentials | None
) -> LocalSettings:
    """Settings by which code in containers finds this endpoint as it finds AWS on the service."""
    if endpoint is None:
        return settings
    given = {"AWS_ENDPOINT_URL": endpoint, "AWS_DEFAULT_REGION": settings.region}
    if credentials:
        given["AWS_ACCESS_KEY_ID"] = credentials.access_key
        given["AWS_SECRET_ACCESS_KEY"] = credentials.secret_key
    here = dict(settings.container_environment)
    for name in ("NO_PROXY", "no_proxy"):
        if name in here or name.replace("NO", "HTTPS").replace("no", "https") in here:
            given[name] = ",".join(filter(None, (here.get(name), CONTAINER_HOST)))
    return replace(
        settings,
        container_environment={**here, **given},
        extra_hosts={**settings.extra_hosts, CONTAINER_HOST: "host-gateway"},
    )


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
