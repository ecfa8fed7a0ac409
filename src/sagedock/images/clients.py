"""Which Docker client can build with BuildKit, and how it is asked to.

A machine may have several `docker` programs, and only some can: a recent one needs the buildx
plugin, one of the 20.10 series has BuildKit inside. Each is asked, none is judged by its version.
Must not run anything itself: `Ask` is passed in.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sagedock.errors import BuildError
from sagedock.images.plan import BuildPlan

Ask = Callable[[Sequence[str], Mapping[str, str]], str | None]
"""Runs a command with variables added; what it printed, or None if it failed."""

_ATTESTATIONS = ("--provenance=false", "--sbom=false")
"""Off: with them an image becomes an index of manifests, which ECR and SageMaker refuse."""


@dataclass(frozen=True, kw_only=True)
class Client:
    """A client that builds: the words before the build's own arguments, variables to be added."""

    command: tuple[str, ...]
    variables: Mapping[str, str]


def candidates(search_path: str) -> tuple[str, ...]:
    """Every distinct `docker` program on a PATH, in its order."""
    found: dict[Path, str] = {}
    for folder in filter(None, search_path.split(os.pathsep)):
        program = Path(folder) / "docker"
        if program.is_file() and os.access(program, os.X_OK):
            found.setdefault(program.resolve(), str(program))
    return tuple(found.values())


def choose(programs: Sequence[str], ask: Ask) -> Client:
    """The first program with buildx, else the first with BuildKit inside; BuildError if none."""
    for attempt in (_buildx, _inside):
        for program in programs:
            client = attempt(program, ask)
            if client is not None:
                return client
    if not programs:
        raise BuildError(
            "Images can't be built: there is no docker client on PATH.",
            hint="Run docker/ensure-engine.sh, or install Docker with its buildx plugin.",
        )
    raise BuildError(
        f"Images can't be built: {' and '.join(programs)} can't use BuildKit.",
        hint="Install the buildx plugin: the package docker-buildx-plugin (Docker's packages) "
        "or docker-buildx (Debian's, Ubuntu's, Homebrew's).",
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
        command=(program, "buildx", "build", "--builder", context, "--load", *quiet), variables={}
    )


def _inside(program: str, ask: Ask) -> Client | None:
    variables = {"DOCKER_BUILDKIT": "1"}
    text = ask((program, "build", "--help"), variables) or ""
    if "--secret" not in text:
        return None
    return Client(command=(program, "build"), variables=variables)


def command(client: Client, plan: BuildPlan, secret_files: Mapping[str, str]) -> list[str]:
    """The build's command line. `secret_files` maps a secret's id to the file that holds it."""
    return [*client.command, "--progress=plain", *_options(plan, secret_files), str(plan.context)]


def _options(plan: BuildPlan, secret_files: Mapping[str, str]) -> Iterator[str]:
    yield from ("--file", str(plan.dockerfile))
    for tag in plan.tags:
        yield from ("--tag", tag)
    for name, value in plan.build_args.items():
        yield from ("--build-arg", f"{name}={value}")
    for name in plan.forwarded:
        yield from ("--build-arg", name)
    for secret_id, path in secret_files.items():
        yield from ("--secret", f"id={secret_id},src={path}")
    for name, value in plan.labels.items():
        yield from ("--label", f"{name}={value}")
    if plan.platform:
        yield from ("--platform", plan.platform)
