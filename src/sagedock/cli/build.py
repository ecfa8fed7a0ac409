"""`sagedock build`: the images of this project, from its repository."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from sagedock import __version__
from sagedock.cli.options import JSON

if TYPE_CHECKING:
    from sagedock.images import BuiltImage

_DEFAULT = ("base", "training", "processing", "serving")


@click.command()
@click.argument("names", nargs=-1, metavar="[base] [training] [processing] …")
@click.option("--force", is_flag=True, help="Build also what is up to date.")
@click.option("-q", "--quiet", is_flag=True, help="Do not show the steps.")
@JSON
def build(names: tuple[str, ...], force: bool, quiet: bool, as_json: bool) -> None:
    """Build the images base, training, processing and serving.

    An image that was made from the same files is left as it is. The builder's cache is used;
    steps are shown on standard error.
    """
    from sagedock import images

    def report(line: str) -> None:
        if not quiet:
            click.echo(line, err=True)

    built = images.build(
        names or _DEFAULT,
        root=images.find_root(),
        version=__version__,
        environ=os.environ,
        report=report,
        force=force,
    )
    _show(built, as_json)


def _show(built: tuple[BuiltImage, ...], as_json: bool) -> None:
    from sagedock.cli.printing import as_text, table

    if as_json:
        click.echo(as_text([asdict(image) for image in built]))
        return
    rows = [
        (
            image.tags[0],
            f"{image.size / 1e6:.0f}",
            f"built in {image.seconds:.1f} s" if image.fresh else "up to date",
        )
        for image in built
    ]
    click.echo("\n".join(table(("IMAGE", "MB", "STATE"), rows)))
