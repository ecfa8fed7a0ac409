"""`sagedock lock`: requirements.in to requirements.lock, with hashes."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sagedock.cli.options import JSON

if TYPE_CHECKING:
    from sagedock.images.lock import Locked


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME|FOLDER]…")
@click.option("--python", metavar="VERSION", help="Of the image.  [default: the lock's own, 3.11]")
@click.option(
    "--platform", "platforms", multiple=True, type=click.Choice(["linux/amd64", "linux/arm64"]),
    help="Where it must fit; give both for one lock that fits both.  [default: the lock's own]",
)  # fmt: skip
@click.option(
    "--from-source", multiple=True, metavar="PACKAGE",
    help="A package that may come as source; all others come as wheels. Repeatable.",
)  # fmt: skip
@click.option("--upgrade", is_flag=True, help="Take newer versions of what is locked.")
@click.option("--check", is_flag=True, help="Change nothing; fail if a lock is stale.")
@JSON
def lock(
    names: tuple[str, ...], python: str | None, platforms: tuple[str, ...],
    from_source: tuple[str, ...], upgrade: bool, check: bool, as_json: bool,
) -> None:  # fmt: skip
    """Lock requirements with their hashes: NAME.in to NAME.lock.

    FOLDER is one with a requirements.in in or below it (default: this one), NAME an image of the
    configuration or of the project itself. A build fails when a lock no longer fits its .in file.
    Needs uv; the index is pip's (PIP_INDEX_URL).
    """
    from sagedock.errors import BuildError
    from sagedock.images import lock as locks

    done = []
    for folder in _folders(names):
        found = locks.pairs(folder)
        if not found:
            raise BuildError(
                f"There is no requirements.in in {folder}.",
                hint="Write one: a line for each package that the image needs, no versions needed.",
            )
        if check:
            locks.check(folder)
            continue
        for source, file in found:
            known = locks.target_of(file.read_text("utf-8")) if file.is_file() else None
            known = known or locks.Target()
            target = locks.Target(
                python=python or known.python,
                platforms=platforms or known.platforms,
                sdists=from_source or known.sdists,
            )
            done.append(locks.make(source, environ=os.environ, target=target, upgrade=upgrade))
    _show(done, as_json)


def _folders(names: tuple[str, ...]) -> list[Path]:
    """Each name's folder: an image of the configuration, one of the project's own, or a path."""
    from sagedock.cli.configuration import current
    from sagedock.images import IMAGES, find_root

    configured = current().config.images
    found = []
    for name in names or (".",):
        if name in configured:
            found.append(configured[name].context)
        elif name in IMAGES:
            found.append(find_root() / "containers" / name)
        elif Path(name).is_dir():
            found.append(Path(name))
        else:
            raise click.UsageError(f"{name!r} is neither an image nor a folder.")
    return found


def _show(done: list[Locked], as_json: bool) -> None:
    from sagedock.cli.printing import as_text

    if as_json:
        click.echo(as_text([{**asdict(one), "file": str(one.file)} for one in done]))
        return
    for one in done:
        state = "written" if one.changed else "as it was"
        click.echo(f"{one.file}: {one.packages} packages, {state}")
