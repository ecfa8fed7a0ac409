"""What `sagedock build` is to build: names and folders, the configuration and flags, put together.

Flags beat the configuration. Must not print.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sagedock.images.build import BuiltImage
    from sagedock.images.plan import Secret, Wishes
    from sagedock.images.reproduce import Reproduced
    from sagedock.project.config import CodeArtifact, Config, ImageConfig

_OWN = ("base", "training", "processing", "serving")
Report = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Target:
    """One image to build: `own` is a name of the catalogue, `folder` has a Dockerfile, `base` is
    what --from-image names; one of the three is set."""

    wishes: Wishes
    own: str = ""
    folder: Path | None = None
    base: str = ""
    part: str = "both"
    name: str | None = None
    codeartifact: CodeArtifact | None = None


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Flags that say where CodeArtifact is."""

    region: str | None = None
    profile: str | None = None
    codeartifact: str | None = None


def targets(
    names: Sequence[str],
    wishes: Wishes,
    *,
    platform: str | None,
    from_image: str | None,
    part: str,
) -> list[Target]:
    """Each image, in the order named. UsageError for what can't be meant."""
    from sagedock.cli.configuration import current

    config = current().config
    if from_image:
        if names:
            raise click.UsageError("--from-image takes no NAME: -t names the image.")
        return [Target(base=from_image, part=part, wishes=_on(wishes, platform))]
    found = [_target(name, config, wishes, platform) for name in names or _default(config)]
    if wishes.tags and len(found) > 1:
        raise click.UsageError("--tag names one image; build several one by one.")
    return found


def _default(config: Config) -> Sequence[str]:
    return tuple(config.images) or _OWN


def _on(wishes: Wishes, platform: str | None) -> Wishes:
    return replace(wishes, platform=platform) if platform else wishes


def _target(name: str, config: Config, wishes: Wishes, platform: str | None) -> Target:
    from sagedock import images

    if name in config.images:
        return _configured(config.images[name], wishes, platform)
    if name in images.IMAGES:
        return Target(own=name, wishes=_on(wishes, platform))
    return Target(folder=Path(name), wishes=_on(wishes, platform))


def _configured(image: ImageConfig, wishes: Wishes, platform: str | None) -> Target:
    merged = replace(
        wishes,
        platform=platform or image.platform or wishes.platform,
        build_args={**image.build_args, **wishes.build_args},
        file=wishes.file or image.dockerfile,
        target=wishes.target or image.target,
        budget=wishes.budget or image.budget,
    )
    return Target(
        folder=None if image.base else image.context,
        base=image.base or "",
        part=image.part or "both",
        name=image.name,
        wishes=merged,
        codeartifact=image.codeartifact,
    )


def run(target: Target, asked: Asked, report: Report, force: bool) -> Sequence[BuiltImage]:
    """Build one; the project's own with what it stands on."""
    from sagedock import __version__, images

    for parent in _missing_parents(target):
        run(parent, asked, report, force)
    wishes = _with_index(target, asked)
    if target.folder is not None:
        return [images.build_folder(target.folder, environ=os.environ, name=target.name,
                                    wishes=wishes, report=report)]  # fmt: skip
    root = images.find_root()
    if target.base:
        return [
            images.build_onto(
                target.base, part=target.part, root=root, version=__version__, environ=os.environ,
                name=target.name, wishes=wishes, report=report,
            )
        ]  # fmt: skip
    return images.build(
        [target.own], root=root, version=__version__, environ=os.environ, report=report,
        force=force, wishes=wishes,
    )  # fmt: skip


def _missing_parents(target: Target) -> list[Target]:
    """Images of the configuration that the target's Dockerfile stands on and the engine lacks."""
    from sagedock.cli.configuration import current
    from sagedock.images.parents import parents
    from sagedock.images.plan import Wishes
    from sagedock.images.program import DockerProgram

    if target.folder is None:
        return []
    dockerfile = target.wishes.file or target.folder / "Dockerfile"
    known = current().config.images
    if not known or not dockerfile.is_file():
        return []
    text = dockerfile.read_text("utf-8", errors="replace")
    named = [name.removesuffix(":latest") for name in parents(text, target.wishes.build_args)]
    wanted = [name for name in named if name in known and name != target.name]
    there = DockerProgram(os.environ).inspect(*wanted)
    plain = Wishes(platform=target.wishes.platform)
    return [_configured(known[name], plain, None) for name in wanted if name not in there]


def reproduced(target: Target, asked: Asked, report: Report) -> Reproduced:
    """Build one twice, and compare."""
    from sagedock import __version__, images
    from sagedock.images.build import Builder
    from sagedock.images.folder import folder_plan
    from sagedock.images.reproduce import reproduce

    wishes = _with_index(target, asked)
    if target.base:
        raise click.UsageError("--check-reproducible is for images with a Dockerfile of their own.")
    if target.folder is not None:
        plan, builder = folder_plan(
            target.folder, environ=os.environ, name=target.name, wishes=wishes, report=report
        )
        return reproduce(plan.tags[0], plan, builder, report)
    root = images.find_root()
    builder = Builder(root=root, version=__version__, environ=os.environ, report=report)
    for parent in images.names_in_order([target.own])[:-1]:
        builder.ensure(parent)
    return reproduce(target.own, builder.plan(target.own, wishes), builder, report)


def _with_index(target: Target, asked: Asked) -> Wishes:
    from sagedock.images.plan import joined

    secret = _codeartifact(target, asked)
    if secret is None:
        return target.wishes
    return replace(target.wishes, secrets=joined([secret], target.wishes.secrets))


def _codeartifact(target: Target, asked: Asked) -> Secret | None:
    """The index of CodeArtifact as the secret that pip's index always is."""
    from sagedock.cli.configuration import current
    from sagedock.images.plan import Secret
    from sagedock.project.config import CodeArtifact

    place = target.codeartifact
    if asked.codeartifact:
        domain, slash, rest = asked.codeartifact.partition("/")
        repository, _, owner = rest.partition("@")
        if not (domain and slash and repository):
            raise click.UsageError(
                f"{asked.codeartifact!r} is no repository of CodeArtifact: expected "
                "DOMAIN/REPOSITORY, or DOMAIN/REPOSITORY@ACCOUNT."
            )
        place = CodeArtifact(domain=domain, repository=repository, owner=owner or None)
    if place is None:
        return None
    from sagedock.aws.account import Account
    from sagedock.aws.codeartifact import index_address

    source = click.get_current_context().get_parameter_source("region")
    typed = source is click.core.ParameterSource.COMMANDLINE
    # The index's own region beats the project's, which the option has by default.
    region = asked.region if typed else place.region or asked.region
    known = current()
    account = Account(region or known.general("region"), asked.profile or known.general("profile"))
    address = index_address(account, place.domain, place.repository, owner=place.owner)
    return Secret(id="pip_index", value=address)
