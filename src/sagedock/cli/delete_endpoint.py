"""`sagedock delete-endpoint`: DeleteEndpoint."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click


@click.command("delete-endpoint")
@click.argument("name")
@click.pass_obj
def delete_endpoint(data: Path | None, name: str) -> None:
    """Delete an endpoint: what runs for it ends.

    Requests in flight get 30 seconds to be answered. Its logs stay, and so does its model.
    """
    from sagedock.cli.context import open_session
    from sagedock.launch.predictor import Predictor

    with open_session(data) as session, closing(Predictor(name, session)) as predictor:
        predictor.delete_endpoint()
    click.echo(f"Endpoint {name}: deleted")
