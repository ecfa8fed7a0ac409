"""`sagedock endpoints`: all endpoints, newest first."""

from __future__ import annotations

from pathlib import Path

import click

from sagedock.cli.options import JSON
from sagedock.cli.printing import as_text, moment, table

_HEAD = ("NAME", "STATUS", "VARIANTS", "CREATED (UTC)", "FAILURE")


@click.command()
@JSON
@click.pass_obj
def endpoints(data: Path | None, as_json: bool) -> None:
    """List endpoints, newest first."""
    from sagedock.cli.context import open_client

    with open_client(data) as client:
        found = client.endpoints()
        described = [client.describe_endpoint(EndpointName=item.name) for item in found]
    if as_json:
        click.echo(as_text(described))
    elif found:
        rows = [
            (
                item.name,
                str(item.status),
                " ".join(route.variant for route in item.routes) or "-",
                moment(item.created),
                (item.failure or "-").partition("\n")[0],
            )
            for item in found
        ]
        click.echo("\n".join(table(_HEAD, rows)))
    else:
        click.echo("No endpoints.", err=True)
