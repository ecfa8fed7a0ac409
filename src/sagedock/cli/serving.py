"""What the commands around the local AWS share: the server's plan, and what is said of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sagedock.errors import EngineError, ResourceNotFoundError, UsageError

if TYPE_CHECKING:
    from sagedock.local.settings import LocalSettings
    from sagedock.server.messages import Service
    from sagedock.server.running.daemon import Application, Plan
    from sagedock.server.running.state import Credentials, State

_SECRET_LENGTH = 16


def application(
    settings: LocalSettings,
    credentials: Credentials,
    container_endpoint: str | None,
    *,
    moto: bool = False,
) -> Application:
    """All of AWS that is here, and the bucket that the SDKs begin with. With `moto` the services
    that are not here are moto's; raises UsageError where that is not installed."""
    from sagedock.server import application as whole
    from sagedock.store.disk import DiskStore

    store = DiskStore(settings.data)
    store.create_bucket(f"sagemaker-{settings.region}-{settings.account}")
    store.close()
    given = whole.Credentials(access_key=credentials.access_key, secret_key=credentials.secret_key)
    return whole.LocalAWS(
        settings,
        credentials=given,
        container_endpoint=container_endpoint,
        fallback=_moto() if moto else None,
    )


def _moto() -> Service:
    from sagedock.server import wsgi

    try:
        return wsgi.moto()
    except ImportError:
        raise UsageError(
            "--moto needs moto.", hint="Install it: pip install 'sagedock[moto]'"
        ) from None


def plan(
    *,
    port: int,
    hosts: tuple[str, ...] = (),
    token: str | None = None,
    offline: bool = False,
    known: bool = True,
) -> Plan:
    """How the server is to run. Raises UsageError."""
    from sagedock.local.outer import original
    from sagedock.server.proxy.upstream import Upstream
    from sagedock.server.running.daemon import Plan

    if hosts and not token:
        raise UsageError(
            "--host lets other machines in: it needs --token, the key they have to sign with.",
            hint="Such as: SAGEDOCK_TOKEN=$(openssl rand -hex 20) sagedock up --host 0.0.0.0",
        )
    if hosts and len(token or "") < _SECRET_LENGTH:
        raise UsageError(f"--token is too short: {_SECRET_LENGTH} characters at least.")
    outside = Upstream() if offline else Upstream.from_environment(original(os.environ))
    return Plan(port=port, hosts=hosts, secret=token if hosts else None, bridge=_bridge(),
                offline=offline, known=known, outside=outside)  # fmt: skip


def _bridge() -> str | None:
    """The address at which containers see this machine; None without an engine."""
    from sagedock.engine.docker import Engine

    try:
        engine = Engine.connect()
    except EngineError:
        return None
    try:
        return engine.bridge_address()
    finally:
        engine.close()


def lines_of(state: State, data: Path) -> Iterator[str]:
    """A running server, for people."""
    yield f"AWS on this machine: {state.endpoint} (region {state.region}, pid {state.pid})"
    if state.addresses:
        signed = ", every request signed" if state.wide else ", for containers"
        yield f"  also at {', '.join(f'{host}:{state.port}' for host in state.addresses)}{signed}"
    beyond = "nothing goes beyond this machine" if state.offline else "all else is passed on"
    yield f"  proxy for AWS's own names: {state.proxy} ({beyond})"
    yield f"  data: {data}"


def nothing_runs(data: Path) -> ResourceNotFoundError:
    """No server on that data folder."""
    return ResourceNotFoundError(
        f"No server runs on {data}.", hint="Start one: sagedock up --detach"
    )
