"""`sagedock build`: images of the configuration, of folders, on any base, and the project's own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sagedock.cli.options import JSON, pairs

if TYPE_CHECKING:
    from sagedock.images.plan import Wishes


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME|FOLDER]…")
@click.option(
    "-t",
    "--tag",
    "tags",
    multiple=True,
    metavar="IMAGE[:TAG]",
    help="Its name.  [default: the folder's, :latest]  Repeatable.",
)
@click.option(
    "--platform",
    type=click.Choice(["linux/amd64", "linux/arm64"]),
    help="What it runs on.  [default: linux/amd64, on every machine]",
)
@pairs(
    "--build-arg",
    "build_args",
    form="NAME=VALUE",
    example="PYTHON=3.12",
    text="Argument of the Dockerfile. Repeatable.",
)
@click.option(
    "--build-context",
    "contexts",
    multiple=True,
    metavar="[NAME=]DIR",
    help="Another folder to build from; with NAME a further one (needs buildx).",
)
@click.option(
    "-f",
    "--file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The Dockerfile, if not the folder's own.",
)
@click.option("--target", metavar="STAGE", help="The stage of the Dockerfile to stop at.")
@click.option(
    "--secret",
    "secrets",
    multiple=True,
    metavar="id=NAME,src=FILE|env=VARIABLE",
    help="For RUN --mount=type=secret; stays in no layer. Repeatable.",
)
@click.option(
    "--codeartifact",
    metavar="DOMAIN/REPOSITORY[@ACCOUNT]",
    help="Let pip ask this repository of CodeArtifact (secret pip_index).",
)
@click.option("--region", envvar="AWS_REGION", metavar="NAME", help="Of CodeArtifact.")
@click.option("--profile", envvar="AWS_PROFILE", metavar="NAME", help="Credentials for it.")
@click.option("--budget", metavar="SIZE", help="Fail if it is larger, unpacked, such as 450MB.")
@click.option(
    "--from-image", metavar="BASE", help="Put sagedock's `train` and `serve` on top of this image."
)
@click.option(
    "--with",
    "part",
    type=click.Choice(["training", "serving", "both"]),
    default="both",
    show_default=True,
    help="What --from-image puts there.",
)
@click.option("--no-cache", is_flag=True, help="Do every step anew.")
@click.option("--force", is_flag=True, help="Build also what is up to date; the cache is used.")
@click.option("--why", is_flag=True, help="Say also what weighs most in it (takes seconds).")
@click.option(
    "--check-reproducible",
    is_flag=True,
    help="Build twice without the cache and compare all files.",
)
@click.option("-q", "--quiet", is_flag=True, help="Do not show the steps.")
@JSON
def build(
    names: tuple[str, ...], tags: tuple[str, ...], platform: str | None,
    build_args: dict[str, str], contexts: tuple[str, ...], file: Path | None, target: str | None,
    secrets: tuple[str, ...], codeartifact: str | None, region: str | None, profile: str | None,
    budget: str | None, from_image: str | None, part: str, no_cache: bool, force: bool, why: bool,
    check_reproducible: bool, quiet: bool, as_json: bool,
) -> None:  # fmt: skip
    """Build images: yours, the project's own, or on any base.

    They are what SageMaker wants: of one platform, with Docker's manifest, without provenance.
    NAME is an image of the configuration (sagedock.toml), one of the project's own (base, training,
    processing, serving), or a FOLDER with a Dockerfile. Without one: all of the configuration, else
    the project's own.

    Certificates (SAGEDOCK_CA_BUNDLE), pip's index (PIP_INDEX_URL) and proxies of this machine reach
    the build, as the secrets ca_bundle and pip_index and as proxy arguments, and stay in no layer.
    A requirements.lock that no longer fits its requirements.in fails the build: `sagedock lock`.

    \b
    sagedock build training
    sagedock build ./my-image -t my/image:1.0 --budget 500MB
    sagedock build --from-image my/base:1 --with training -t my/training:1
    """
    from sagedock.cli import build_report, build_targets
    from sagedock.cli.build_progress import progress

    account = build_targets.Asked(region=region, profile=profile, codeartifact=codeartifact)
    found = build_targets.targets(
        names, _wishes(tags, build_args, contexts, file, target, secrets, budget, no_cache),
        platform=platform, from_image=from_image, part=part,
    )  # fmt: skip
    if check_reproducible and len(found) != 1:
        raise click.UsageError("--check-reproducible needs one image: name it.")
    with progress(quiet) as report:
        if check_reproducible:
            done = build_targets.reproduced(found[0], account, report)
        else:
            done = None
            built = [b for one in found for b in build_targets.run(one, account, report, force)]
    if done is not None:
        raise SystemExit(build_report.show_reproduced(done, as_json))
    build_report.show(built, weigh=why, as_json=as_json)


def _wishes(
    tags: tuple[str, ...], build_args: dict[str, str], contexts: tuple[str, ...],
    file: Path | None, target: str | None, secrets: tuple[str, ...], budget: str | None,
    no_cache: bool,
) -> Wishes:  # fmt: skip
    from sagedock.images import wishes
    from sagedock.images.folder import full_tag
    from sagedock.images.plan import Wishes

    named = dict(item.split("=", 1) for item in contexts if "=" in item)
    plain = [Path(item) for item in contexts if "=" not in item]
    if len(plain) > 1:
        raise click.UsageError("Only one --build-context can do without a name.")
    more: dict[str, Any] = {"context": plain[0]} if plain else {}
    return Wishes(
        tags=tuple(full_tag(tag) for tag in tags),
        build_args=build_args,
        contexts=named,
        file=file,
        target=target,
        no_cache=no_cache,
        secrets=tuple(wishes.secret(text, os.environ) for text in secrets),
        budget=wishes.size(budget) if budget else None,
        **more,
    )
