"""A server on a data folder: its listeners, its proxy, its record; and one in the background.

Jobs and endpoints are no part of it: they have processes of their own and go on when it ends.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import http.client
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

from sagedock.errors import OutputError, ResourceInUseError, SagedockError
from sagedock.local.process import Owner
from sagedock.local.settings import LocalSettings
from sagedock.server.guard import Guard
from sagedock.server.http import Listener, free_port
from sagedock.server.messages import Request, Response, Service
from sagedock.server.proxy.authority import Authority
from sagedock.server.proxy.proxy import Proxy
from sagedock.server.proxy.upstream import Upstream
from sagedock.server.running.state import FOLDER, Credentials, State, credentials_of, running

PORT = 4566
LOOPBACK = "127.0.0.1"
LOG = "server.log"
HEALTH = "/_sagedock/health"
_LOCK = "server.lock"
_TRIES = 20
_START_SECONDS = 180.0
_STOP_SECONDS = 15.0
_PAUSE = 0.02
_DETACH = '"$@" >&2 & echo $!'
"""A shell that leaves the command to itself: it is nobody's child, so nobody has to reap it."""


class Application(Service, Protocol):
    """A Service that holds something."""

    def close(self) -> None: ...


Make = Callable[[LocalSettings, Credentials, str | None], Application]
"""Makes the application; the text is the URL at which containers reach it, None for none."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a server is to run. `port` 0 is any free one. `hosts` are addresses to listen at beyond
    loopback, which need `secret`: the key that every request then has to be signed with. `bridge`
    is the address at which containers see this machine. Only a `known` server is found by others.
    """

    port: int = PORT
    hosts: tuple[str, ...] = ()
    secret: str | None = None
    bridge: str | None = None
    offline: bool = False
    known: bool = True
    outside: Upstream = field(default_factory=Upstream)


class Server:
    """A running server. `start` returns when it answers; `close` ends it."""

    def __init__(self, settings: LocalSettings, plan: Plan, make: Make) -> None:
        self._settings, self._plan, self._make = settings, plan, make
        self._closing = contextlib.ExitStack()

    def start(self) -> State:
        """Raises ResourceInUseError where the data folder has a server, or the port is taken."""
        with contextlib.ExitStack() as undo:
            undo.callback(self.close)
            state = self._started()
            undo.pop_all()
        return state

    def _started(self) -> State:
        data, plan = self._settings.data, self._plan
        if plan.known:
            self._closing.enter_context(_claimed(data))
        credentials = _credentials(data, plan)
        keys = {credentials.access_key: credentials.secret_key} if plan.hosts else None
        addresses = [address for address in (*plan.hosts, plan.bridge) if address]
        door = _Door()
        guard = Guard(service=door, addresses=frozenset(addresses), keys=keys)
        listeners = _bound(guard, plan)
        for listener in listeners:
            self._closing.callback(listener.server_close)
        port = listeners[0].server_port
        proxy = self._proxy(guard, plan)
        door.open(self._closing.enter_context(
            contextlib.closing(self._make(self._settings, credentials, _for_containers(plan, port)))
        ))  # fmt: skip
        serving: list[Listener | Proxy] = [*listeners, proxy]
        for one in serving:
            one.start()
            self._closing.callback(one.shutdown)
        me = Owner.me()
        bound = (str(listener.server_address[0]) for listener in listeners[1:])
        state = State(
            pid=me.pid, started=me.started, port=port, proxy_port=proxy.server_address[1],
            access_key=credentials.access_key, secret_key=credentials.secret_key,
            region=self._settings.region, account=self._settings.account,
            addresses=tuple(bound), wide=bool(plan.hosts), offline=plan.offline,
        )  # fmt: skip
        if plan.known:
            state.write(data)
            self._closing.callback(State.remove, data)
        return state

    def _proxy(self, service: Service, plan: Plan) -> Proxy:
        folder = self._settings.data / FOLDER
        proxy = Proxy(
            (LOOPBACK, 0), service, lambda: Authority.of(folder),
            outside=plan.outside, offline=plan.offline,
        )  # fmt: skip
        self._closing.callback(proxy.server_close)
        return proxy

    def close(self) -> None:
        """Answer no more, and let go of everything."""
        self._closing.close()


class _Door:
    """Stands for the application until it is there: the port is claimed first, so that a port
    that is taken is told before anything else is begun."""

    def __init__(self) -> None:
        self._service: Service | None = None

    def open(self, service: Service) -> None:
        self._service = service

    def __call__(self, request: Request, /) -> Response:
        assert self._service is not None
        return self._service(request)


def _credentials(data: Path, plan: Plan) -> Credentials:
    kept = credentials_of(data)
    if plan.secret is None:
        return kept
    return Credentials(access_key=kept.access_key, secret_key=plan.secret)


def _for_containers(plan: Plan, port: int) -> str | None:
    return f"http://host.docker.internal:{port}" if plan.bridge else None


# ports


def _bound(service: Service, plan: Plan) -> list[Listener]:
    """Listeners at loopback and all other addresses, at the same port."""
    for _ in range(_TRIES - 1):
        with contextlib.suppress(ResourceInUseError):
            return _bound_at(service, plan, plan.port or free_port())
        if plan.port:
            break
    return _bound_at(service, plan, plan.port or free_port())


def _bound_at(service: Service, plan: Plan, port: int) -> list[Listener]:
    anywhere = {"0.0.0.0", "::"} & set(plan.hosts)
    addresses = [*anywhere] if anywhere else [LOOPBACK, *plan.hosts]
    found: list[Listener] = []
    try:
        for address in addresses:
            found.append(_listener(address, port, service))
        if plan.bridge and not anywhere and plan.bridge not in addresses:
            found += _at_bridge(plan.bridge, port, service)
    except SagedockError:
        for listener in found:
            listener.server_close()
        raise
    return found


def _at_bridge(address: str, port: int, service: Service) -> list[Listener]:
    """None where the bridge is in another machine (Docker Desktop): its containers come to this
    one's loopback."""
    try:
        return [_listener(address, port, service)]
    except OutputError:
        return []


def _listener(address: str, port: int, service: Service) -> Listener:
    from sagedock.server.running.ports import holder

    try:
        return Listener((address, port), service)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            reason = error.strerror or str(error)
            raise OutputError(f"Nothing can listen at {address}:{port}: {reason}.") from error
        who = holder(port) or "another program (of another user, perhaps)"
        raise ResourceInUseError(
            f"Port {port} of {address} is taken by {who}.",
            hint=f"Choose another one: sagedock up --port {port + 1 if port < 65535 else 4566}",
        ) from error


@contextlib.contextmanager
def _claimed(data: Path) -> Iterator[None]:
    """Be the one server of a data folder. The system lets go of the lock when a process ends."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        lock: IO[bytes] = (data / _LOCK).open("wb")
    except OSError as error:
        raise OutputError(f"{data} can't be written: {error.strerror}.") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            found = running(data)
            where = f" at {found.endpoint} (pid {found.pid})" if found else ""
            raise ResourceInUseError(
                f"A server runs on {data} already{where}.", hint="End it with: sagedock down"
            ) from None
        yield


# in the background


def spawn(command: list[str], data: Path, environment: Mapping[str, str]) -> State:
    """Start `command`, which runs a server on `data`, and return when it answers; it goes on by
    itself. Raises ResourceInUseError, with what it has said where it ends instead; OutputError
    where it does neither for too long."""
    data.mkdir(parents=True, exist_ok=True)
    log = data / LOG
    with log.open("wb") as stream:
        done = subprocess.run(
            ["/bin/sh", "-c", _DETACH, "sh", *command], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=stream, cwd="/", start_new_session=True,
            env=dict(environment), check=True,
        )  # fmt: skip
    started = Owner.of(int(done.stdout))
    deadline = time.monotonic() + _START_SECONDS
    while started.is_alive():
        found = running(data)
        if found and found.pid == started.pid and answers(found):
            return found
        if time.monotonic() > deadline:
            raise OutputError(f"The server (pid {started.pid}) does not answer: see {log}")
        time.sleep(_PAUSE)
    said = log.read_text("utf-8", "replace").strip().removeprefix("error: ")
    message, _, hint = said.partition("\nhint: ")
    raise ResourceInUseError(message or "The server ended without a word.", hint=hint)


def answers(state: State) -> bool:
    """Whether the server says anything at all."""
    connection = http.client.HTTPConnection(LOOPBACK, state.port, timeout=5)
    try:
        connection.request("GET", HEALTH)
        return connection.getresponse().status in {200, 403}
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def stop(state: State, seconds: float = _STOP_SECONDS) -> bool:
    """End a server and wait until its process is gone. False where it had to be killed."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            if state.owner.is_alive():
                os.kill(state.pid, number)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not state.owner.is_alive():
                return number == signal.SIGTERM
            time.sleep(_PAUSE)
    raise OutputError(f"The server (pid {state.pid}) does not end.")
