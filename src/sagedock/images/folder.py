"""Builds any folder with a Dockerfile, as SageMaker wants its images: one platform, no index."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from sagedock.errors import BuildError, UsageError
from sagedock.images import lock
from sagedock.images import plan as plans
from sagedock.images.build import Builder, BuiltImage, Report
from sagedock.images.clients import BUILDX
from sagedock.images.parents import build_parents

PLATFORM = plans.PLATFORM
_OCI = "org.opencontainers.image"


def build_folder(
    folder: Path,
    *,
    environ: Mapping[str, str],
    name: str | None = None,
    wishes: plans.Wishes | None = None,
    report: Report = lambda line: None,
) -> BuiltImage:
    """Build `folder`/Dockerfile as `name` (default: the folder's own name) with the tag `latest`,
    or by the tags asked for, labelled with the commit it is of. Those of sagedock's own images
    that it stands on are built first. Raises BuildError, EngineUnavailableError."""
    plan, builder = folder_plan(folder, environ=environ, name=name, wishes=wishes, report=report)
    build_parents(plan, builder.docker, environ=environ, report=report)
    return builder.execute(plan.tags[0], plan)


def folder_plan(
    folder: Path,
    *,
    environ: Mapping[str, str],
    name: str | None = None,
    wishes: plans.Wishes | None = None,
    report: Report = lambda line: None,
) -> tuple[plans.BuildPlan, Builder]:
    """The same as a plan, and who can run it. A lock of the folder that is stale is refused."""
    asked = wishes or plans.Wishes()
    place = folder.expanduser().absolute()
    dockerfile = _dockerfile(place, asked)
    lock.check(place)
    builder = Builder(root=place, version="", environ=environ, report=report)
    plan = plans.BuildPlan(
        context=asked.context.expanduser().absolute() if asked.context else place,
        dockerfile=dockerfile,
        tags=_tags(name or place.resolve().name, asked),
        build_args=asked.build_args,
        forwarded=plans.proxy_names(environ),
        secrets=plans.joined(plans.secrets(environ), asked.secrets),
        labels=_labels(builder, asked),
        platform=asked.platform,
        target=asked.target,
        contexts=asked.contexts,
        no_cache=asked.no_cache,
        budget=asked.budget,
        epoch=builder.epoch() if builder.client().kind == BUILDX else None,
    )
    return plan, builder


def _dockerfile(place: Path, asked: plans.Wishes) -> Path:
    dockerfile = asked.file.expanduser().absolute() if asked.file else place / "Dockerfile"
    if dockerfile.is_file():
        return dockerfile
    raise BuildError(
        f"{place} is no image of the project, and there is no {dockerfile}.",
        hint=f"Images: {', '.join(plans.IMAGES)}; or name a folder that has a Dockerfile.",
    )


def _tags(name: str, asked: plans.Wishes) -> tuple[str, ...]:
    return asked.tags or (f"{image_name(name)}:latest",)


def _labels(builder: Builder, asked: plans.Wishes) -> dict[str, str]:
    # An image inherits its parent's labels: what is not known is set to nothing.
    return {
        f"{_OCI}.version": version_of(asked.tags),
        f"{_OCI}.revision": builder.revision(),
        f"{_OCI}.source": builder.source(),
    }


def version_of(tags: tuple[str, ...]) -> str:
    """The version that a tag like `my/image:1.2` says; none without one, or for `latest`."""
    found = (tag.rpartition("/")[2].partition(":")[2] for tag in tags)
    return next((version for version in found if version and version != "latest"), "")


_REFERENCE = re.compile(r"[a-z0-9][a-z0-9._/:-]*[a-z0-9](:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?")


def full_tag(text: str) -> str:
    """`my/image` as `my/image:latest`. UsageError for what is no image's name."""
    if not _REFERENCE.fullmatch(text):
        raise UsageError(f"{text!r} can't be an image's name: expected for example my/image:1.0.")
    return text if ":" in text.rpartition("/")[2] else f"{text}:latest"


def image_name(text: str) -> str:
    """A folder's name as an image's: lower case, and what Docker doesn't take as '-'."""
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if not name:
        raise BuildError(
            f"The folder's name {text!r} has nothing that an image can be called by.",
            hint="Rename it with letters or digits.",
        )
    return name
