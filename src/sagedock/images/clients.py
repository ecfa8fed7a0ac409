"""Which Docker client can build, with what builder, and how it is asked to.

A machine may have several `docker` programs, and only some can use BuildKit: a recent one needs the
buildx plugin, one of the 20.10 series has BuildKit inside. Each is asked, none is judged by its
version. Where none can, the classic builder is left, which knows neither secrets nor mounts.
Must not run anything itself: `Ask` is passed in.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from sagedock.errors import BuildError
from sagedock.images.plan import BuildPlan

Ask = Callable[[Sequence[str], Mapping[str, str]], str | None]
"""Runs a command with variables added; what it printed, or None if it failed."""

_ATTESTATIONS = ("--provenance=false", "--sbom=false")
"""Off: with them an image becomes an index of manifests, which ECR and SageMaker refuse."""
_OUTPUT = "--output=type=docker,oci-mediatypes=false,rewrite-timestamp=true"
"""Into the engine with Docker's own media types, no file younger than the commit. A builder from
before BuildKit 0.13 knows no rewriting and passes over it."""

BUILDX, INSIDE, CLASSIC = "buildx", "BuildKit", "classic builder"

INSTALL_HINT = (
    "Install the buildx plugin: the package docker-buildx-plugin (Docker's packages) "
    "or docker-buildx (Debian's, Ubuntu's, Homebrew's)."
)


@dataclass(frozen=True, kw_only=True)
class Client:
    """A client that builds: the words before the build's own arguments, variables to be added.
    `kind` is BUILDX, INSIDE or CLASSIC."""

    command: tuple[str, ...]
    variables: Mapping[str, str]
    kind: str


def candidates(search_path: str) -> tuple[str, ...]:
    """Every distinct `docker` program on a PATH, in its order."""
    found: dict[Path, str] = {}
    for folder in filter(None, search_path.split(os.pathsep)):
        program = Path(folder) / "docker"
        if program.is_file() and os.access(program, os.X_OK):
            found.setdefault(program.resolve(), str(program))
    return tuple(found.values())


def choose(programs: Sequence[str], ask: Ask) -> Client:
    """The first program with buildx, else the first with BuildKit inside, else the first that
    builds at all; BuildError if none."""
    with ThreadPoolExecutor(max_workers=2 * len(programs) or 1) as pool:  # programs start slowly
        asked = [
            pool.submit(attempt, program, ask)
            for attempt in (_buildx, _inside)
            for program in programs
        ]
        found = [answer.result() for answer in asked]
    for client in chain(found, (_classic(program, ask) for program in programs)):
        if client is not None:
            return client
    if not programs:
        raise BuildError(
            "Images can't be built: there is no docker client on PATH.",
            hint="Run docker/ensure-engine.sh, or install Docker with its buildx plugin.",
        )
    raise BuildError(
        f"Images can't be built: {' and '.join(programs)} can't use BuildKit, nor another builder.",
        hint=INSTALL_HINT,
    )


def _buildx(program: str, ask: Ask) -> Client | None:
    # Without the plugin the program prints its general help and exits 0: look for build's options.
    text = ask((program, "buildx", "build", "--help"), {}) or ""
    if "--secret" not in text or "--load" not in text:
        return None
    # The builder of the engine itself: another may not see local images, which ours stand on.
    context = (ask((program, "context", "show"), {}) or "").strip() or "default"
    quiet = tuple(flag for flag in _ATTESTATIONS if flag.split("=")[0] in text)
    return Client(
        command=(program, "buildx", "build", "--builder", context, _OUTPUT, *quiet),
        variables={},
        kind=BUILDX,
    )


def _inside(program: str, ask: Ask) -> Client | None:
    variables = {"DOCKER_BUILDKIT": "1"}
    text = ask((program, "build", "--help"), variables) or ""
    if "--secret" not in text:
        return None
    return Client(command=(program, "build"), variables=variables, kind=INSIDE)


def _classic(program: str, ask: Ask) -> Client | None:
    variables = {"DOCKER_BUILDKIT": "0"}
    text = ask((program, "build", "--help"), variables) or ""
    if "--build-arg" not in text:
        return None
    return Client(command=(program, "build"), variables=variables, kind=CLASSIC)


def command(client: Client, plan: BuildPlan, secret_files: Mapping[str, str]) -> list[str]:
    """The build's command line. `secret_files` maps a secret's id to the file that holds it."""
    progress = () if client.kind == CLASSIC else ("--progress=plain",)
    options = _options(client, plan, secret_files)
    return [*client.command, *progress, *options, str(plan.context)]


def _options(client: Client, plan: BuildPlan, secret_files: Mapping[str, str]) -> Iterator[str]:
    yield from ("--file", str(plan.dockerfile))
    for tag in plan.tags:
        yield from ("--tag", tag)
    for name, value in plan.build_args.items():
        yield from ("--build-arg", f"{name}={value}")
    for name in plan.forwarded:
        yield from ("--build-arg", name)
    for name, value in plan.labels.items():
        yield from ("--label", f"{name}={value}")
    if plan.target:
        yield from ("--target", plan.target)
    if plan.no_cache:
        yield "--no-cache"
    if client.kind != CLASSIC:
        yield from _of_buildkit(client, plan, secret_files)


def _of_buildkit(client: Client, plan: BuildPlan, secret_files: Mapping[str, str]) -> Iterator[str]:
    for secret_id, path in secret_files.items():
        yield from ("--secret", f"id={secret_id},src={path}")
    if plan.platform:
        yield from ("--platform", plan.platform)
    for name, folder in plan.contexts.items():
        yield from ("--build-context", f"{name}={folder}")
    if plan.epoch is not None and client.kind == BUILDX:
        yield from ("--build-arg", f"SOURCE_DATE_EPOCH={plan.epoch}")
