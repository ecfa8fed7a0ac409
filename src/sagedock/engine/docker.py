"""The engine's API: images, containers, logs, archives. Every Docker call of sagedock is here."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.types import LogConfig
from docker.types import Mount as DockerMount
from docker.utils import kwargs_from_env

from sagedock.engine.container import Container
from sagedock.engine.plan import ISOLATED, ContainerPlan
from sagedock.errors import EngineError, EngineUnavailableError, ImageNotFoundError

_SOCKET = "unix:///var/run/docker.sock"
_CHUNK = 1 << 20
_START_HINT = (
    "Start Docker (Docker Desktop, colima, or `sudo systemctl start docker`), or run "
    "docker/ensure-engine.sh on a Debian-like machine; DOCKER_HOST names an engine elsewhere."
)
_PERMISSION_HINT = (
    "Add yourself to the group that owns the socket (`sudo usermod -aG docker $USER`, then log in "
    "again), or name another engine with DOCKER_HOST."
)


@dataclass(frozen=True, kw_only=True)
class ImageInfo:
    """Facts of an image: size in bytes, unpacked."""

    id: str
    architecture: str
    size: int
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    user: str
    labels: dict[str, str]
    os: str = "linux"
    environment: dict[str, str] = field(default_factory=dict)
    volumes: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    """What is exposed, as `8080/tcp`."""
    has_healthcheck: bool = False
    created: str = ""
    """When it says it was made, as the engine writes times."""


class Engine:
    """A Docker engine that answered."""

    def __init__(self, client: docker.APIClient) -> None:
        self._client = client
        self._memory: int | None = None

    @classmethod
    def connect(cls, base_url: str | None = None) -> Engine:
        """Find the engine as the docker command does (DOCKER_HOST, current context, socket).

        Raises EngineUnavailableError where none answers or this user may not use it.
        """
        settings: dict[str, Any] = {**kwargs_from_env()}
        if base_url or not settings.get("base_url"):
            settings["base_url"] = base_url or _context_host()
        try:
            _knock(settings.get("base_url") or _SOCKET)
            client = docker.APIClient(version="auto", timeout=120, **settings)
        except (DockerException, OSError) as error:
            raise _unavailable(settings.get("base_url"), error) from error
        return cls(client)

    def image(self, reference: str) -> ImageInfo | None:
        """The image of that name, None where the engine doesn't have it."""
        try:
            found = self._client.inspect_image(reference)  # type: ignore[no-untyped-call]
        except ImageNotFound:
            return None
        except APIError as error:
            raise _engine_error(f"Image {reference!r} can't be inspected", error) from error
        return _image_info(found)

    def pull(self, reference: str, *, login: Mapping[str, str] | None = None) -> ImageInfo:
        """Fetch an image; `login` (username, password) in place of what this user has logged in
        with. Raises ImageNotFoundError with the registry's answer."""
        name, _, tag = reference.partition("@") if "@" in reference else _name_and_tag(reference)
        try:
            login = dict(login) if login else None
            for event in self._client.pull(
                name, tag=tag, stream=True, decode=True, auth_config=login
            ):
                if "error" in event:
                    raise _no_image(reference, event["error"])
        except (APIError, requests.RequestException) as error:
            raise _no_image(reference, _explanation(error)) from error
        found = self.image(reference)
        if found is None:
            raise _no_image(reference, "the pull ended without it")
        return found

    def tag(self, image: str, repository: str, tag: str) -> None:
        """Give an image another name. Raises EngineError."""
        try:
            self._client.tag(image, repository, tag, force=True)
        except APIError as error:
            raise _engine_error(f"Image {image!r} can't be tagged", error) from error

    def push(
        self, repository: str, tag: str, *, login: Mapping[str, str] | None = None
    ) -> Iterator[Mapping[str, Any]]:
        """Send an image to its registry: the engine's own events, as they come (`id`, `status`,
        `progressDetail`). `login` as for `pull`: it stands in no file and on no command line.
        Raises EngineError with the registry's answer; what it has already is not sent again."""
        try:
            for event in self._client.push(
                repository, tag=tag, stream=True, decode=True, auth_config=dict(login or {}) or None
            ):
                if "error" in event:
                    raise EngineError(f"{repository}:{tag} can't be pushed: {event['error']}")
                yield event
        except (APIError, requests.RequestException) as error:
            why = _explanation(error)
            raise EngineError(f"{repository}:{tag} can't be pushed: {why}") from error

    def history(self, reference: str) -> tuple[str, ...]:
        """What each step of an image's making says it did, newest first."""
        try:
            found = self._client.history(reference)  # type: ignore[no-untyped-call]
        except APIError as error:
            raise _engine_error(f"Image {reference!r} can't be looked into", error) from error
        return tuple(str(step.get("CreatedBy") or "") for step in found)

    @contextlib.contextmanager
    def saved(self, reference: str) -> Iterator[Iterator[bytes]]:
        """An image as `docker save` writes it, as a stream. The engine stops writing when the
        block ends, however much of it has been read."""
        url = f"{self._client.base_url}/v{self._client.api_version}/images/{reference}/get"
        what = f"Image {reference!r} can't be looked into"
        try:
            response = self._client.get(url, stream=True, timeout=None)
        except requests.RequestException as error:
            raise EngineError(f"{what}: {error}") from error
        with contextlib.closing(response):
            if not response.ok:
                raise EngineError(f"{what}: {response.text.strip()}")
            yield response.iter_content(_CHUNK)

    def trusts_plainly(self, host: str) -> bool:
        """Whether the engine talks to the registry HOST[:PORT] without a certificate that it
        could check: loopback addresses, and those its own configuration names."""
        known = self._client.info().get("RegistryConfig") or {}
        index = (known.get("IndexConfigs") or {}).get(host)
        if index is not None:
            return not index.get("Secure", True)
        name = host.rpartition(":")[0] if re.search(r":\d+$", host) else host
        ranges = known.get("InsecureRegistryCIDRs") or []
        return name == "localhost" or any(_is_in(name.strip("[]"), one) for one in ranges)

    def untag(self, reference: str) -> None:
        """Take a name from an image that has others; one that isn't there is no error."""
        with contextlib.suppress(ImageNotFound):
            self._client.remove_image(reference, noprune=True)

    def create(self, plan: ContainerPlan) -> Container:
        """Make a container; it isn't started. A stopped one of the same name is replaced."""
        self._remove_stale(plan)
        if plan.network == ISOLATED:
            self._ensure_isolated()
        try:
            made = self._client.create_container(**self._arguments(plan))
        except ImageNotFound as error:
            raise _no_image(plan.image, _explanation(error)) from error
        except APIError as error:
            raise _engine_error(f"Container {plan.name} can't be made", error) from error
        return Container(self._client, made["Id"], plan.name)

    def _arguments(self, plan: ContainerPlan) -> dict[str, Any]:
        mounts = [
            DockerMount(m.target, str(m.source), type="bind", read_only=True) for m in plan.mounts
        ]
        mounts += [
            DockerMount(path, None, type="volume", no_copy=True) for path in plan.empty_volumes
        ]
        host_config = self._client.create_host_config(
            network_mode=plan.network,
            mounts=mounts,
            extra_hosts=dict(plan.extra_hosts),
            shm_size=plan.shm_bytes,
            port_bindings=dict.fromkeys(plan.ports, ("127.0.0.1", None)),
            read_only=plan.read_only,
            tmpfs={"/tmp": ""} if plan.read_only else None,
            mem_limit=plan.memory_bytes,
            memswap_limit=plan.memory_bytes,  # as much: no swap
            # Any other driver may be set to rotate, and a rotated log has lost its beginning.
            log_config=LogConfig(type="json-file", config={"max-size": "1000g"}),
        )
        arguments: dict[str, Any] = {
            "image": plan.image,
            "name": plan.name,
            "entrypoint": list(plan.entrypoint) if plan.entrypoint else None,
            "command": list(plan.command) if plan.command else None,
            "environment": dict(plan.environment),
            "hostname": plan.hostname,
            "labels": dict(plan.labels),
            "user": plan.user,
            "host_config": host_config,
            "ports": list(plan.ports),
            "stdin_open": False,
            "tty": False,
        }
        return arguments

    def _remove_stale(self, plan: ContainerPlan) -> None:
        old = self.find(plan.name)
        if old is None:
            return
        if old.is_running():
            raise EngineError(
                f"A container named {plan.name} is running already.",
                hint=f"See what it does: docker logs {plan.name}",
            )
        old.remove()

    def _ensure_isolated(self) -> None:
        try:
            if not self._client.networks(names=[f"^{ISOLATED}$"]):
                self._client.create_network(ISOLATED, internal=True, check_duplicate=True)
        except APIError as error:
            if "already exists" not in str(error):
                raise _engine_error(f"Network {ISOLATED} can't be made", error) from error

    def find(self, name_or_id: str) -> Container | None:
        """A container of that name or id, None where there is none."""
        try:
            found = self._client.inspect_container(name_or_id)
        except NotFound:
            return None
        except APIError as error:
            raise _engine_error(f"Container {name_or_id} can't be inspected", error) from error
        return Container(self._client, found["Id"], found["Name"].lstrip("/"))

    def labelled(self, label: str) -> list[Container]:
        """All containers, running or not, that carry `label` (`key` or `key=value`)."""
        rows = self._client.containers(all=True, filters={"label": [label]})
        return [Container(self._client, row["Id"], row["Names"][0].lstrip("/")) for row in rows]

    def keeps_manifests(self) -> bool:
        """Whether images lie in containerd's store, as they came: then what is pushed is the
        manifest that a builder has made, and an image's id is its digest."""
        pairs = self._client.info().get("DriverStatus") or []
        return any("io.containerd.snapshotter" in str(value) for _, value in pairs)

    @property
    def api_version(self) -> str:
        """The version of the API that client and engine have agreed on."""
        return str(self._client.api_version)

    def info(self) -> dict[str, Any]:
        """The engine's document of itself. Raises EngineError."""
        try:
            found: dict[str, Any] = self._client.info()
        except (APIError, requests.RequestException) as error:
            raise EngineError(f"The engine can't be asked: {_explanation(error)}") from error
        return found

    def memory_bytes(self) -> int:
        """Memory of the machine the engine runs on."""
        if self._memory is None:
            self._memory = int(self._client.info()["MemTotal"])
        return self._memory

    def bridge_address(self) -> str | None:
        """The address that containers on the default bridge have for the engine's machine; None
        where there is no such bridge."""
        try:
            found = self._client.inspect_network("bridge")
        except (APIError, requests.RequestException):
            return None
        configs = (found.get("IPAM") or {}).get("Config") or []
        return next((config["Gateway"] for config in configs if config.get("Gateway")), None)

    def close(self) -> None:
        """Let go of the connection."""
        with contextlib.suppress(Exception):
            self._client.close()


def _context_host() -> str | None:
    """The address of the docker command's current context; None for the default socket."""
    try:
        context = docker.ContextAPI.get_current_context()
    except Exception:  # a broken context file must not hide an engine on the default socket
        return None
    host: str | None = getattr(context, "Host", None)
    return host


def _name_and_tag(reference: str) -> tuple[str, str, str]:
    head, colon, tag = reference.rpartition(":")
    return (head, colon, tag) if colon and "/" not in tag else (reference, "", "latest")


def _is_in(name: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(name) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _image_info(found: dict[str, Any]) -> ImageInfo:
    config = found.get("Config") or {}
    return ImageInfo(
        id=found["Id"],
        architecture=found["Architecture"],
        size=found["Size"],
        entrypoint=tuple(config.get("Entrypoint") or ()),
        command=tuple(config.get("Cmd") or ()),
        user=config.get("User") or "",
        labels=dict(config.get("Labels") or {}),
        os=found.get("Os") or "linux",
        environment=dict(line.partition("=")[::2] for line in config.get("Env") or ()),
        volumes=tuple(config.get("Volumes") or ()),
        ports=tuple(config.get("ExposedPorts") or ()),
        has_healthcheck=_checks_health(config.get("Healthcheck")),
        created=found.get("Created") or "",
    )


def _checks_health(setting: dict[str, Any] | None) -> bool:
    return bool(setting and (setting.get("Test") or ["NONE"])[0] != "NONE")


def _knock(address: str) -> None:
    """Connect to a Unix socket once: where that fails, the client would leave its own end open."""
    if address.startswith("unix://"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
            door.settimeout(10)
            door.connect(address.removeprefix("unix://"))


def _unavailable(address: str | None, error: Exception) -> EngineUnavailableError:
    text = str(error)
    where = address or _SOCKET
    if "Permission denied" in text or "PermissionError" in text:
        return EngineUnavailableError(
            f"The Docker engine at {where} may not be used by this user: permission denied.",
            hint=_PERMISSION_HINT,
        )
    return EngineUnavailableError(f"No Docker engine answers at {where}.", hint=_START_HINT)


def _explanation(error: Exception) -> str:
    return str(getattr(error, "explanation", None) or error)


def _no_image(reference: str, reason: str) -> ImageNotFoundError:
    return ImageNotFoundError(
        f"Image {reference!r} is not on this machine and can't be pulled: {reason}.",
        hint="Build it (sagedock build training, docker build …) or check its name: docker images",
    )


def _engine_error(what: str, error: APIError) -> EngineError:
    reason = _explanation(error)
    if "no space left on device" in reason:
        return EngineError(
            f"{what}: the engine's disk is full.", hint="Free some space: docker system df"
        )
    return EngineError(f"{what}: {reason}.")
