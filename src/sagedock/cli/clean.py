"""`sagedock clean`: takes away what processes that were killed have left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sagedock.local.leftovers import Sweep


@click.command()
@click.option("--dry-run", is_flag=True, help="Only list what would be removed.")
@click.pass_obj
def clean(data: Path | None, dry_run: bool) -> None:
    """Remove what killed processes have left.

    Containers, inputs and models laid down for them: only what carries this data folder's label or
    lies in it, and belongs to no job or endpoint that goes on. Logs and results stay. A job or
    endpoint that has lost its process goes on: it is listed, and given a new one.
    """
    from sagedock.cli.context import open_client

    with open_client(data) as client:
        found = client.leftovers()
        lines = list(_lines(found))
        for line in lines:
            click.echo(line)
        if not lines:
            click.echo(f"Nothing is left over in {client.settings.data}.", err=True)
        elif dry_run:
            click.echo("Nothing was removed: --dry-run.", err=True)
        else:
            client.recover()


def _lines(found: Sweep) -> Iterator[str]:
    yield from (f"container {container.name}" for container in found.containers)
    yield from (f"folder {folder}" for folder in found.folders)
    yield from (f"{name} goes on" for name in found.orphans)
