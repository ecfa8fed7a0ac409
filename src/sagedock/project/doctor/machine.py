"""Looks at this machine: engine, docker programs, disks, images, emulation, versions."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib import metadata
from pathlib import Path

from sagedock.engine.docker import Engine, ImageInfo
from sagedock.engine.facts import moment
from sagedock.errors import BuildError
from sagedock.images import IMAGES, find_root
from sagedock.images.clients import candidates, choose
from sagedock.images.current import stale
from sagedock.images.plan import OS_IMAGE, repository, tags
from sagedock.images.program import DockerProgram
from sagedock.project.config import Config
from sagedock.project.doctor.facts import Clients, Disk, Emulation, Images, Versions

BINFMT = Path("/proc/sys/fs/binfmt_misc")
PACKAGES = ("sagedock", "boto3", "botocore", "docker")
DEFAULT_PLATFORM = "linux/amd64"


def clients(environ: Mapping[str, str]) -> Clients:
    """The docker programs, and which one would build."""
    docker = DockerProgram(environ)
    programs, ask = docker.candidates, docker.programs.ask
    try:
        found = choose(programs, ask)
    except BuildError as error:
        return Clients(programs=programs, problem=error.message, hint=error.hint)
    has_compose = any("Compose" in (ask((p, "compose", "version"), {}) or "") for p in programs)
    return Clients(
        programs=programs, builder=found.command[0], kind=found.kind, compose=has_compose
    )


def disks(data: Path, engine_root: str | None, host: str = "") -> Iterator[Disk]:
    """The data folder's disk, or that of the folder it would be made in; the engine's where that
    is on this machine: `host` is what DOCKER_HOST says."""
    yield _disk("data", data)
    if engine_root and (not host or host.startswith("unix:")) and Path(engine_root).is_dir():
        yield _disk("engine", Path(engine_root))


def _disk(what: str, folder: Path) -> Disk:
    there = next(place for place in (folder, *folder.parents) if place.is_dir())
    return Disk(what=what, path=str(folder), free=shutil.disk_usage(there).free)


def images(engine: Engine, config: Config, version: str, environ: Mapping[str, str]) -> Images:
    """What the engine has of them. Raises EngineError."""
    ours = {repository(name): tags(name, version) for name in IMAGES}
    os_image = engine.image(OS_IMAGE)
    return Images(
        version=version,
        os_image=OS_IMAGE,
        os_id=os_image.id if os_image else None,
        os_created=_created(os_image) if os_image else None,
        ours={name: (_id(engine, pair[0]), _id(engine, pair[1])) for name, pair in ours.items()},
        stale=_stale(version, environ),
        project={name: _id(engine, f"{name}:latest") for name in config.images},
    )


def _stale(version: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Nothing is said where there is no docker program to ask: `docker client` tells of that."""
    if not candidates(environ.get("PATH", "")):
        return ()
    return stale(IMAGES, root=find_root(), version=version, environ=environ)


def _id(engine: Engine, name: str) -> str | None:
    found = engine.image(name)
    return found.id if found else None


def _created(image: ImageInfo) -> datetime | None:
    """None for a time before 1981: images have it that are to have one digest whenever built."""
    found = moment(image.created)
    return found if found and found.year > 1980 else None


def emulation(config: Config, folder: Path = BINFMT) -> Emulation:
    """Handlers of other machines' programs, as Linux has them; the platforms that are wanted."""
    wanted = {image.platform or DEFAULT_PLATFORM for image in config.images.values()}
    return Emulation(
        machine=platform.machine(),
        handlers=_handlers(folder),
        wanted=frozenset(wanted | {DEFAULT_PLATFORM}),
    )


def _handlers(folder: Path) -> frozenset[str] | None:
    """None where the file system that tells of them is not there: on a Mac, in a container."""
    if not (folder / "status").is_file():
        return None
    files = [file for file in folder.iterdir() if file.name.startswith("qemu-")]
    return frozenset(file.name for file in files if file.read_text().startswith("enabled"))


def versions() -> Versions:
    """Of Python and of what we stand on."""
    return Versions(
        python=platform.python_version(), packages={name: _version(name) for name in PACKAGES}
    )


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
