"""What to run, as values: made by pure planning code, carried out by `engine.docker`."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ISOLATED = "sagedock-isolated"
"""A network that leads nowhere: this machine reaches its containers, they reach nothing else."""


@dataclass(frozen=True, kw_only=True)
class Mount:
    """A file or folder of this machine, seen read-only in a container at `target`."""

    source: Path
    target: str


@dataclass(frozen=True, kw_only=True)
class ContainerPlan:
    """One container: no tty, no stdin, no privileges, the engine's default capabilities.

    `entrypoint` and `command` None keep the image's own. `empty_volumes` are folders that start
    empty whatever the image has there, and go when the container goes. `shm_bytes` is the size of
    /dev/shm. `ports` are published on this machine's loopback address, on free ports of its own;
    in the network ISOLATED they answer at the container's own address instead. `user` None is the
    image's own; a `read_only` root leaves /tmp to write to. `memory_bytes` None is no limit.
    """

    name: str
    image: str
    entrypoint: Sequence[str] | None = None
    command: Sequence[str] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    hostname: str | None = None
    network: str = "bridge"
    extra_hosts: Mapping[str, str] = field(default_factory=dict)
    mounts: Sequence[Mount] = ()
    empty_volumes: Sequence[str] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    shm_bytes: int | None = None
    ports: Sequence[int] = ()
    user: str | None = None
    read_only: bool = False
    memory_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class TextFile:
    """A small file to put into a container, root-owned; `content` None makes a folder."""

    path: str
    content: str | None = None
    mode: int = 0o644


@dataclass(frozen=True, kw_only=True)
class LogLine:
    """One line of a container's output. `stamp` is the engine's own timestamp, as text (RFC 3339
    with nanoseconds, UTC): it sorts as text and identifies the line when reading is resumed."""

    stamp: str
    text: str


@dataclass(frozen=True, kw_only=True)
class ExitState:
    """How a container ended."""

    exit_code: int
    out_of_memory: bool = False


def tar_of(files: Iterable[TextFile]) -> bytes:
    """A tar archive of `files`, to be unpacked at `/`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for file in files:
            _add(archive, file)
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, file: TextFile) -> None:
    entry = tarfile.TarInfo(file.path.lstrip("/"))
    if file.content is None:
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(entry)
        return
    data = file.content.encode()
    entry.size, entry.mode = len(data), file.mode
    archive.addfile(entry, io.BytesIO(data))
