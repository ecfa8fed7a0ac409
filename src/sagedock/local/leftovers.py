"""What processes that were killed have left in the engine and on the disk, and taking it away.

Labels say whose a container is, records whether it is still wanted. Must not know who asks, nor how
a job that goes on is taken up.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sagedock.engine.container import Container
from sagedock.engine.docker import Engine
from sagedock.errors import EngineError
from sagedock.local.hosting.values import Endpoint, EndpointStatus
from sagedock.local.plans import LABEL
from sagedock.local.records import Job


@dataclass(frozen=True, kw_only=True)
class Known:
    """All jobs and endpoints of a data folder."""

    jobs: Sequence[Job]
    endpoints: Sequence[Endpoint]

    def is_wanted(self, name: str, labels: Mapping[str, str]) -> bool:
        """Whether the container `name` is somebody's: of a job or an endpoint that goes on, of an
        owner who may be just about to remove it, or kept for the results that are in it."""
        endpoint = labels.get(f"{LABEL}.endpoint")
        if endpoint is not None:
            return any(one.name == endpoint and not is_over(one) for one in self.endpoints)
        job, kind = labels.get(f"{LABEL}.job"), labels.get(f"{LABEL}.kind")
        return any(
            not has_ended(one) or name in (one.state.failure_reason or "")
            for one in self.jobs
            if (one.name, one.kind) == (job, kind)
        )

    def orphans(self) -> tuple[str, ...]:
        """Jobs and endpoints that go on but have no living owner, by kind and name."""
        jobs = (
            f"{one.kind} job {one.name}"
            for one in self.jobs
            if one.is_running and not (one.owner and one.owner.is_alive())
        )
        endpoints = (
            f"endpoint {one.name}"
            for one in self.endpoints
            if not is_over(one) and not one.owner.is_alive()
        )
        return (*jobs, *endpoints)


def has_ended(job: Job) -> bool:
    """Whether nobody will do anything about the job any more."""
    return not job.is_running and not (job.owner and job.owner.is_alive())


def is_over(endpoint: Endpoint) -> bool:
    """The same of an endpoint: one that failed stays, without containers."""
    return endpoint.status is EndpointStatus.FAILED and not endpoint.owner.is_alive()


@dataclass(frozen=True, kw_only=True)
class Leftovers:
    """What may be left of a data folder: looked for *before* its records are read, so that what is
    begun meanwhile is not taken for it."""

    containers: Iterable[Container]
    folders: Iterable[Path]

    @classmethod
    def of(cls, engine: Engine, data: Path, data_id: str) -> Leftovers:
        """Raises EngineError."""
        return cls(
            containers=engine.labelled(f"{LABEL}={data_id}"),
            folders=list((data / "endpoints").glob("*/fleets")),
        )

    def sweep(self, data: Path, known: Known) -> Sweep:
        """What of it nobody wants. Raises EngineError."""
        ended = (data / "jobs" / one.kind / one.name / "inputs" for one in known.jobs
                 if has_ended(one))  # fmt: skip
        live = {endpoint.name for endpoint in known.endpoints if not is_over(endpoint)}
        fleets = (folder for folder in self.folders if folder.parent.name not in live)
        return Sweep(
            containers=tuple(one for one in self.containers if not _is_wanted(one, known)),
            folders=tuple(folder for folder in (*ended, *fleets) if folder.exists()),
            orphans=known.orphans(),
        )


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What may be taken away: containers, inputs and models that were laid down; logs are kept.
    `orphans` are what goes on as soon as it has a new owner."""

    containers: tuple[Container, ...]
    folders: tuple[Path, ...]
    orphans: tuple[str, ...]

    def remove(self) -> None:
        """Take it away. Raises EngineError."""
        for folder in self.folders:
            shutil.rmtree(folder, ignore_errors=True)
        for container in self.containers:
            container.remove()


def _is_wanted(container: Container, known: Known) -> bool:
    labels = _labels(container)
    return labels is None or known.is_wanted(container.name, labels)


def _labels(container: Container) -> Mapping[str, str] | None:
    """None where it has gone by itself."""
    try:
        return container.inspect()["Config"]["Labels"] or {}
    except EngineError:
        return None
