"""`sagedock push`: an image to ECR."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sagedock.cli.options import JSON

if TYPE_CHECKING:
    from sagedock.images.push import Pushed


@click.command()
@click.argument("image")
@click.argument("tag", required=False)
@click.option(
    "--build", "building", is_flag=True,
    help="Build it first: one of the project's images by its name, or a folder with a Dockerfile.",
)  # fmt: skip
@click.option(
    "--repository", metavar="NAME", help="Where it goes.  [default: the image's own name]"
)
@click.option(
    "--region", envvar="AWS_REGION", metavar="NAME", help="Of ECR.  [default: a profile's own]"
)
@click.option("--mutable-tags", is_flag=True, help="Let tags of a new repository be changed.")
@click.option("--no-scan", is_flag=True, help="Do not scan images that come to a new repository.")
@click.option("--kms-key", metavar="ARN", help="Encrypts a new repository.  [default: AES-256]")
@click.option("-q", "--quiet", is_flag=True, help="Print the result only.")
@JSON
def push(
    image: str, tag: str | None, building: bool, repository: str | None, region: str | None,
    mutable_tags: bool, no_scan: bool, kms_key: str | None, quiet: bool, as_json: bool,
) -> None:  # fmt: skip
    """Push an image to ECR, so that SageMaker can run it.

    The repository is made where it is missing: tags that stay as they are, scans on push, and a
    rule that lets untagged images go. TAG is by default the image's version and commit. Pushing
    the same image again is no error. The registry's password stands in no file.

    \b
    On this machine first:  sagedock run -- sagedock push IMAGE
    """
    from sagedock.engine.docker import Engine
    from sagedock.images.ecr import Ecr, Wishes
    from sagedock.images.push import push as send

    def report(line: str) -> None:
        if not quiet:
            click.echo(line, err=True)

    name = _built(image, report) if building else image
    engine = Engine.connect()
    try:
        done = send(
            name,
            tag,
            engine=engine,
            ecr=Ecr(region),
            repository=repository,
            wishes=Wishes(immutable=not mutable_tags, scan=not no_scan, kms_key=kms_key),
            report=report,
            progress=_bar(quiet),
        )
    finally:
        engine.close()
    _show(done, as_json)


def _built(image: str, report: Callable[[str], None]) -> str:
    """Build what `image` names; the name it has then."""
    from sagedock import __version__, images

    if image not in images.IMAGES:
        return images.build_folder(Path(image), environ=os.environ, report=report).tags[0]
    built = images.build(
        [image], root=images.find_root(), version=__version__, environ=os.environ, report=report
    )
    return built[-1].tags[0]


def _bar(quiet: bool) -> Callable[[int, int], None]:
    shown = [-1]

    def progress(sent: int, whole: int) -> None:
        percent = 100 * sent // max(whole, 1)
        if sys.stderr.isatty() and not quiet and percent != shown[0]:
            shown[0] = percent
            end = "\n" if percent == 100 else ""
            click.echo(f"\rpushing {sent >> 20} of {whole >> 20} MB{end}", err=True, nl=False)

    return progress


def _show(done: Pushed, as_json: bool) -> None:
    from sagedock.cli.printing import as_text

    if as_json:
        click.echo(as_text({**asdict(done), "by_digest": done.by_digest}))
        return
    click.echo(done.uri)
    click.echo(f"digest {done.digest}", err=True)
