"""Which of the project's images a build would make anew. Builds nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from sagedock.errors import BuildError
from sagedock.images.build import Builder
from sagedock.images.plan import INPUTS_LABEL, Wishes, names_in_order


def stale(
    names: Iterable[str], *, root: Path, version: str, environ: Mapping[str, str]
) -> tuple[str, ...]:
    """Those of the named images and of what they stand on that are not there, or were made from
    other files than there are now. Raises EngineUnavailableError."""
    builder = Builder(root=root, version=version, environ=environ, report=lambda line: None)
    return tuple(name for name in names_in_order(names) if not _is_current(builder, name))


def _is_current(builder: Builder, name: str) -> bool:
    try:
        plan = builder.plan(name, Wishes())
    except BuildError:  # its lock is stale, or what it stands on is not there
        return False
    found = builder.docker.inspect(*plan.tags)
    labels = [(one["Config"].get("Labels") or {}).get(INPUTS_LABEL) for one in found.values()]
    return labels == [plan.labels[INPUTS_LABEL]] * len(plan.tags)
