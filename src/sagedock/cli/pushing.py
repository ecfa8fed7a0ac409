"""What `sagedock push` does between its options and its last line: opens registries, asks, prints.

Must not know click's options.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import click

from sagedock.errors import UsageError

if TYPE_CHECKING:
    from sagedock.engine.docker import Engine, ImageInfo
    from sagedock.images.ecr import Ecr, Wishes
    from sagedock.images.prune import Plan
    from sagedock.images.push import Pushed, Registry
    from sagedock.images.push_target import Where

Report = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The command's options."""

    image: str | None
    tag: str | None
    building: bool
    repository: str | None
    account: str | None
    registry: str | None
    region: str | None
    region_is_typed: bool
    profile: str | None
    mutable_tags: bool
    no_scan: bool
    encryption: str | None
    kms_key: str | None
    pruning: bool
    keep: int
    sure: bool
    no_checks: bool
    through: bool
    dry: bool
    quiet: bool
    as_json: bool

    def report(self, line: str) -> None:
        """For people, beside the result."""
        if not self.quiet:
            click.echo(line, err=True)

    def where(self, image: str) -> Where:
        """Where it goes. A region that only the environment names gives way to a URI's."""
        from sagedock.images.push_target import where

        return where(
            image, self.tag, registry=self.registry, repository=self.repository,
            account=self.account, region=self.region if self.region_is_typed else None,
        )  # fmt: skip

    @property
    def wishes(self) -> Wishes:
        """What a new repository is to be like."""
        from sagedock.images.ecr import Wishes

        encryption = self.encryption or ("KMS" if self.kms_key else "AES256")
        if self.kms_key and encryption == "AES256":
            raise UsageError("--kms-key goes with --encryption KMS or KMS_DSSE.")
        return Wishes(
            immutable=not self.mutable_tags, scan=not self.no_scan, encryption=encryption,
            kms_key=self.kms_key,
        )  # fmt: skip


def run(asked: Asked) -> None:
    """All of the command."""
    if asked.pruning and not (asked.sure or asked.dry or sys.stdin.isatty()):
        raise UsageError(
            "--prune removes images, and nobody can be asked here.",
            hint="Add --yes, or --dry-run to see what would go.",
        )
    if asked.image is None:
        if not (asked.pruning and asked.repository):
            raise UsageError(
                "No image is named.", hint="sagedock push IMAGE, or --prune --repository NAME"
            )
        removed = _prune(asked, asked.where(asked.repository), asked.repository, None)
        if asked.as_json:
            _json({"pruned": removed})
    elif asked.through:
        _pull_through(asked, asked.image)
    else:
        _push(asked, asked.image)


def _push(asked: Asked, image: str) -> None:
    from sagedock.engine.docker import Engine
    from sagedock.images import naming

    wishes, where = asked.wishes, asked.where(image)
    name = _built(asked, image) if asked.building and not asked.dry else image
    found: dict[str, Any] = {}
    with closing(Engine.connect()) as engine:
        done = None if asked.dry else _sent(asked, engine, name, where, wishes, found)
        if done is None:
            _look(asked, engine, name, where, found)
    if done and done.needs:
        asked.report(done.needs)
    if asked.pruning:
        repository = where.repository or naming.repository_of(name)
        found["pruned"] = _prune(asked, where, repository, done.digest if done else None)
    _show(asked, done, found)


def _sent(
    asked: Asked, engine: Engine, name: str, where: Where, wishes: Wishes, found: dict[str, Any]
) -> Pushed:
    from sagedock.cli.progress import bytes_bar
    from sagedock.images.push import push

    stream = None if asked.quiet or asked.as_json else sys.stderr
    with bytes_bar("pushing", stream) as bar:
        done = push(
            name, where.tag, engine=engine, registry=_registry(asked, where, engine),
            repository=where.repository, wishes=wishes, report=asked.report, progress=bar.set,
            checks=lambda image: _checked(asked, engine, name, image, found),
        )  # fmt: skip
    if done.sent:
        asked.report(f"{done.layers[0]} layers sent, {done.layers[1]} were there")
    return done


def _look(asked: Asked, engine: Engine, name: str, where: Where, found: dict[str, Any]) -> None:
    """What a push would do first, and where it would go."""
    from sagedock.images import naming
    from sagedock.images.push import image_of

    image = image_of(engine, name)
    _checked(asked, engine, name, image, found)
    host = where.private or (where.host.host if where.host else "ECR")
    repository = where.repository or naming.repository_of(name)
    tag = where.tag or naming.default_tag(image.labels, image.id)
    asked.report(f"nothing is pushed; it would go to {host}/{repository}:{tag}")


def _checked(
    asked: Asked, engine: Engine, name: str, image: ImageInfo, found: dict[str, Any]
) -> None:
    """Look into the image and say what is found; into `found`, too. Raises BuildError."""
    from sagedock.images import push_checks

    if asked.no_checks:
        return
    asked.report(f"looking into {name}")
    seen = push_checks.look(engine, image)
    found["capabilities"] = seen.capabilities
    found["findings"] = [asdict(finding) for finding in seen.findings]
    push_checks.told(name, seen, asked.report)


def _built(asked: Asked, image: str) -> str:
    """Build what `image` names, as `sagedock build` does; the name it has then."""
    from sagedock.cli import build_targets
    from sagedock.cli.build_progress import progress
    from sagedock.images.plan import Wishes

    account = build_targets.Asked(region=asked.region, profile=asked.profile)
    (target,) = build_targets.targets(
        [image], Wishes(), platform=None, from_image=None, part="both"
    )
    with progress(asked.quiet) as report:
        built = build_targets.run(target, account, report, False)
    return built[-1].tags[0]


def _ecr(asked: Asked, where: Where) -> Ecr:
    """ECR, as the caller may use it."""
    from sagedock.aws.account import Account
    from sagedock.images.ecr import Ecr

    if where.private:
        raise UsageError(f"{where.private} is no registry of ECR.")
    caller = Account(where.region or asked.region, asked.profile)
    return Ecr(caller, owner=where.account, host=where.host)


def _registry(asked: Asked, where: Where, engine: Engine) -> Registry:
    """ECR, or the private registry that was named."""
    from sagedock.images.push_private import PrivateRegistry

    if where.private:
        return PrivateRegistry(where.private, plain=engine.trusts_plainly(where.private))
    return _ecr(asked, where)


def _pull_through(asked: Asked, image: str) -> None:
    """Ask ECR for an image that a pull-through rule serves: it fetches it then."""
    from sagedock.images import manifests

    where = asked.where(image)
    ecr = _ecr(asked, where)
    if where.repository is None:
        raise UsageError(
            f"{image!r} is no URI of ECR: expected HOST/REPOSITORY[:TAG].",
            hint=f"For example {ecr.account}.dkr.ecr.{ecr.region}.{ecr.caller.domain}/{image}",
        )
    tag = where.tag or "latest"
    upstream, found = ecr.pulled_through(where.repository, tag)
    if found.media_type != manifests.DOCKER:
        asked.report(
            f"warning: {found.media_type} comes from {upstream}: SageMaker takes Docker's "
            "manifests (A1.11); pull it, and push it to a repository of your own"
        )
    host = where.host.host if where.host else ""
    uri = f"{host}/{where.repository}:{tag}".lstrip("/")
    if asked.as_json:
        _json({"uri": uri, "digest": found.digest, "upstream": upstream,
               "media_type": found.media_type})  # fmt: skip
        return
    click.echo(uri)
    asked.report(f"digest {found.digest}, from {upstream}")


def _prune(asked: Asked, where: Where, name: str, spared: str | None) -> list[str]:
    """Remove old images of a repository that nothing uses; what was (or would be) removed."""
    from sagedock.images import prune as pruning

    ecr = _ecr(asked, where)
    place = ecr.get(name)
    asked.report(f"looking what uses {place.uri}")
    plan = pruning.plan_for(place, ecr.caller, keep=asked.keep, spared=spared)
    _list(plan, asked.report)
    if asked.dry or not plan.removed:
        return [one.digest for one in plan.removed]
    if not asked.sure and not _agreed(plan, place.uri):
        return []
    refused = pruning.carry_out(place, plan)
    for line in refused.values():
        click.echo(f"not removed: {line}", err=True)
    return [one.digest for one in plan.removed if one.digest not in refused]


def _list(plan: Plan, report: Report) -> None:
    for digest, users in plan.used.items():
        report(f"keep   {digest}: used by {', '.join(users)}")
    for one in plan.removed:
        tags = ", ".join(one.tags) or "no tag"
        report(f"remove {one.digest} ({tags}, {one.pushed:%Y-%m-%d}, {one.size >> 20} MB)")
    if not plan.removed:
        report("there is nothing to remove")


def _agreed(plan: Plan, uri: str) -> bool:
    return click.confirm(f"Remove {len(plan.removed)} images of {uri}?", default=False, err=True)


def _show(asked: Asked, done: Pushed | None, found: dict[str, Any]) -> None:
    """The URI on standard output, the rest beside it; or all of it as JSON."""
    if asked.as_json:
        told = {**asdict(done), "by_digest": done.by_digest} if done else {}
        _json({**told, **found})
    elif done:
        click.echo(done.uri)
        click.echo(f"digest {done.digest}", err=True)


def _json(document: dict[str, Any]) -> None:
    from sagedock.cli.printing import as_text

    click.echo(as_text(document))
