"""Builds any folder with a Dockerfile, as SageMaker wants its images: one platform, no index."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from sagedock.errors import BuildError
from sagedock.images import plan as plans
from sagedock.images.build import Builder, BuiltImage, Report

PLATFORM = "linux/amd64"
_OCI = "org.opencontainers.image"


def build_folder(
    folder: Path,
    *,
    environ: Mapping[str, str],
    name: str | None = None,
    platform: str = PLATFORM,
    report: Report = lambda line: None,
) -> BuiltImage:
    """Build `folder`/Dockerfile as `name` (default: the folder's own name) with the tag `latest`,
    labelled with the commit it is of. Raises BuildError, EngineUnavailableError."""
    place = folder.expanduser().absolute()
    dockerfile = place / "Dockerfile"
    if not dockerfile.is_file():
        raise BuildError(
            f"{folder} is no image of the project, and there is no {dockerfile}.",
            hint=f"Images: {', '.join(plans.IMAGES)}; or name a folder that has a Dockerfile.",
        )
    builder = Builder(root=place, version="", environ=environ, report=report)
    found = image_name(name or place.resolve().name)
    plan = plans.BuildPlan(
        context=place,
        dockerfile=dockerfile,
        tags=(f"{found}:latest",),
        build_args={},
        forwarded=plans.proxy_names(environ),
        secrets=plans.secrets(environ),
        labels={
            # An image inherits its parent's labels: what is not known is set to nothing.
            f"{_OCI}.version": "",
            f"{_OCI}.revision": builder.revision(),
            f"{_OCI}.source": builder.source(),
        },
        platform=platform,
    )
    return builder.execute(found, plan)


def image_name(text: str) -> str:
    """A folder's name as an image's: lower case, and what Docker doesn't take as '-'."""
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if not name:
        raise BuildError(
            f"The folder's name {text!r} has nothing that an image can be called by.",
            hint="Rename it with letters or digits.",
        )
    return name
