"""What a user's Dockerfile stands on: those of sagedock's own images are built before it.

So that a project that begins `FROM sagedock/training:0.1.0` builds on a machine that has never
built anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from sagedock import __version__
from sagedock.errors import BuildError
from sagedock.images import plan as plans
from sagedock.images.build import Report, build
from sagedock.images.dockerfile import instructions
from sagedock.images.program import DockerProgram
from sagedock.images.source import find_root

_FROM = re.compile(r"FROM\s+(?:--\S+\s+)*(?P<image>\S+)(?:\s+AS\s+(?P<stage>\S+))?", re.IGNORECASE)
_ARG = re.compile(r"ARG\s+(?P<name>\w+)=(?P<value>\S+)", re.IGNORECASE)
_VARIABLE = re.compile(r"\$(?:\{(?P<braced>\w+)(?::-(?P<default>[^}]*))?\}|(?P<plain>\w+))")


def build_parents(
    plan: plans.BuildPlan, docker: DockerProgram, *, environ: Mapping[str, str], report: Report
) -> None:
    """Build those of sagedock's own images that the plan's Dockerfile stands on, for the same
    platform, as far as they are not up to date. Raises what `build` raises."""
    text = plan.dockerfile.read_text("utf-8", errors="replace")
    names = own_parents(
        parents(text, plan.build_args), __version__, lambda image: bool(docker.inspect(image))
    )
    if names:
        wishes = plans.Wishes(platform=plan.platform or plans.PLATFORM)
        build(names, root=find_root(), version=__version__, environ=environ, report=report,
              wishes=wishes)  # fmt: skip


def parents(text: str, build_args: Mapping[str, str]) -> tuple[str, ...]:
    """The images that a Dockerfile's stages stand on, each once, as they are written there; its
    own stages and `scratch` left out. `build_args` beat the defaults of ARG before the first
    FROM."""
    return tuple(dict.fromkeys(_images(text, build_args)))


def _images(text: str, build_args: Mapping[str, str]) -> Iterator[str]:
    values: dict[str, str] = {}
    stages = {"scratch"}
    begun = False
    for line in instructions(text):
        if found := _FROM.match(line):
            begun = True
            image = _filled(found["image"], values)
            if image.lower() not in stages:
                yield image
            stages.add((found["stage"] or "scratch").lower())
        elif (given := _ARG.match(line)) and not begun:
            name = given["name"]
            values[name] = build_args.get(name, _filled(given["value"].strip("'\""), values))


def _filled(text: str, values: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        return values.get(match["braced"] or match["plain"]) or match["default"] or ""

    return _VARIABLE.sub(value, text)


def own_parents(
    images: Iterable[str], version: str, is_there: Callable[[str], bool]
) -> tuple[str, ...]:
    """Names of sagedock's own images among `images` that this version can build. BuildError for
    one of another version that the engine does not have: nobody can build that here."""
    return tuple(name for image in images if (name := _own(image, version, is_there)))


def _own(image: str, version: str, is_there: Callable[[str], bool]) -> str:
    repository, _, tag = image.partition(":")
    name = repository.removeprefix("sagedock/")
    if name == repository or name not in plans.IMAGES:
        return ""
    if tag in {"", "latest", version}:
        return name
    if is_there(image):
        return ""
    raise BuildError(
        f"The Dockerfile stands on {image}, which is not in the engine, and this is sagedock "
        f"{version}.",
        hint=f"Write {repository}:{version} into it, or: pip install sagedock=={tag}",
    )
