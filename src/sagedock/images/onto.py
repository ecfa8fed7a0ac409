"""sagedock's supervisor and server on top of any base image (`--from-image`), as a build.

The Dockerfile is `containers/onto/Dockerfile`; here stands only what it is built with.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sagedock.errors import UsageError
from sagedock.images import plan as plans
from sagedock.images.build import Builder, BuiltImage, Report
from sagedock.images.folder import full_tag, image_name, version_of
from sagedock.images.plan import joined, proxy_names, secrets

PARTS = ("training", "serving", "both")
_OURS = {"training": "training", "serving": "base", "both": "training"}
"""Part to the image of the project that pip and sagemaker-training are taken from."""
_OCI = "org.opencontainers.image"


def build_onto(
    base: str,
    *,
    part: str = "both",
    root: Path,
    version: str,
    environ: Mapping[str, str],
    name: str | None = None,
    wishes: plans.Wishes | None = None,
    report: Report = lambda line: None,
) -> BuiltImage:
    """An image on `base` that has `train`, `serve` or both. Its name is by default the base's with
    `-sagedock`. Builds the project's images that it needs parts of. Raises BuildError: no Python in
    the base, an old one, packages that don't fit."""
    if part not in PARTS:
        raise UsageError(f"{part!r} can't be put on a base: expected {', '.join(PARTS)}.")
    asked = wishes or plans.Wishes()
    builder = Builder(root=root, version=version, environ=environ, report=report)
    for needed in plans.names_in_order([_OURS[part]]):
        builder.ensure(needed)
    plan = onto_plan(base, part=part, root=root, version=version, environ=environ, name=name,
                     wishes=asked, epoch=builder.epoch())  # fmt: skip
    return builder.execute(plan.tags[0], plan)


def onto_plan(
    base: str,
    *,
    part: str,
    root: Path,
    version: str,
    environ: Mapping[str, str],
    name: str | None = None,
    wishes: plans.Wishes,
    epoch: int | None = None,
) -> plans.BuildPlan:
    """The same as a plan."""
    default = f"{name or image_name(base.partition('@')[0].rpartition('/')[2])}-sagedock"
    tags = wishes.tags or (full_tag(name or default),)
    return plans.BuildPlan(
        context=root,
        dockerfile=root / "containers" / "onto" / "Dockerfile",
        tags=tags,
        build_args={
            **wishes.build_args,
            "BASE": base,
            "OURS": plans.tags(_OURS[part], version)[0],
            "WITH": part,
        },
        forwarded=proxy_names(environ),
        secrets=joined(secrets(environ), wishes.secrets),
        labels={
            f"{_OCI}.title": f"sagedock {part} on {base}",
            f"{_OCI}.version": version_of(tags),
            f"{_OCI}.base.name": base,
            "sagedock-version": version,
        },
        platform=wishes.platform,
        target=part,
        no_cache=wishes.no_cache,
        budget=wishes.budget,
        epoch=epoch,
    )
