"""`sagedock down`: end the server."""

from __future__ import annotations

from pathlib import Path

import click

from sagedock.cli.options import DATA


@click.command()
@DATA
@click.pass_obj
def down(data: Path | None) -> None:
    """End the server that `up` has started.

    Returns when its process is gone. Jobs and endpoints go on: `sagedock stop` and
    `sagedock delete-endpoint` end them.
    """
    from sagedock.cli.context import settings_of
    from sagedock.server.running import daemon
    from sagedock.server.running.state import State, running

    folder = settings_of(data).data
    state = running(folder)
    if state is None:
        click.echo(f"No server runs on {folder}.")
        return
    if not daemon.stop(state):
        State.remove(folder)
        click.echo("It did not answer to SIGTERM and was killed.", err=True)
    click.echo(f"The server at {state.endpoint} (pid {state.pid}) has ended.")
