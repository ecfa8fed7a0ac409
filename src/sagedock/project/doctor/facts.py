"""What is known of the machine and the account before it is judged. Sizes in bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Clients:
    """The docker programs on PATH; the one that builds, and with what (`buildx`, `BuildKit`,
    `classic builder`). `compose`: whether one has that plugin, too."""

    programs: tuple[str, ...] = ()
    builder: str = ""
    kind: str = ""
    compose: bool = False
    problem: str = ""
    hint: str = ""


@dataclass(frozen=True, kw_only=True)
class Disk:
    """A folder that grows. `what` is it for."""

    what: str
    path: str
    free: int


@dataclass(frozen=True, kw_only=True)
class Images:
    """Ids of images by name, None where there is none. `ours` maps a repository to the ids of its
    version's tag and of `latest`; `stale` names those that a build would make anew."""

    version: str
    os_image: str
    os_id: str | None
    os_created: datetime | None
    ours: Mapping[str, tuple[str | None, str | None]]
    stale: tuple[str, ...] = ()
    project: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Emulation:
    """What runs programs of other machines: names of enabled handlers (`qemu-aarch64`), None where
    they can't be seen. `wanted` are platforms that images are to be built for."""

    machine: str
    handlers: frozenset[str] | None
    wanted: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What a container has seen: its capabilities as Linux's bit set, and whether it has reached
    this machine. `image` None: there was none to look with."""

    image: str | None
    capabilities: int | None = None
    reached: bool = False
    address: str = ""


@dataclass(frozen=True, kw_only=True)
class Trust:
    """A bundle of certificate authorities. `variable` has named it."""

    variable: str
    path: str
    certificates: int = 0
    expired: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class Proxy:
    """A proxy that a variable names; `shown` has no password. `problem` is why it isn't reached."""

    variable: str
    shown: str
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class Proxies:
    """All of them, and the names that go past them."""

    found: tuple[Proxy, ...]
    no_proxy: str


@dataclass(frozen=True, kw_only=True)
class Versions:
    """Python's, and those of distributions; None for one that isn't installed."""

    python: str
    packages: Mapping[str, str | None]


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who asks AWS, as STS says; without an `arn`, `problem` is why it doesn't."""

    region: str
    known_regions: frozenset[str]
    account: str = ""
    arn: str = ""
    method: str = ""
    expires: datetime | None = None
    seconds_ahead: float | None = None
    code: str = ""
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """How a look at one thing ended: it is there, it is missing, one may not look, or else."""

    name: str
    there: bool = False
    missing: bool = False
    denied: bool = False
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class Role:
    """The role that jobs are to have, its trust policy, and actions that IAM says it lacks.
    `unknown` is why IAM did not say."""

    seen: Seen
    account: str
    trust: Mapping[str, Any] = field(default_factory=dict)
    denied: tuple[str, ...] = ()
    unknown: str = ""


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """The bucket of inputs and results. `unlisted` is why its objects could not be listed;
    `is_made`: jobs make it where it is missing, since nobody has named another."""

    seen: Seen
    is_made: bool = False
    region: str = ""
    unlisted: str = ""


@dataclass(frozen=True, kw_only=True)
class Registry:
    """ECR: why one can't log in, and the repositories that the project's images go to."""

    problem: str = ""
    repositories: tuple[Seen, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Instances that the configuration asks for: `usage` in the quota's words (`training job`)."""

    instance_type: str
    usage: str
    count: int

    @property
    def quota(self) -> str:
        """The quota's name in Service Quotas."""
        return f"{self.instance_type} for {self.usage} usage"


@dataclass(frozen=True, kw_only=True)
class Quotas:
    """What is asked for, and by name the quotas that there are: value and code."""

    wanted: tuple[Wanted, ...]
    known: Mapping[str, tuple[float, str]] = field(default_factory=dict)
    problem: str = ""
