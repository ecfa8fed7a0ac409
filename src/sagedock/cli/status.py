"""`sagedock status`: whether a server runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sagedock.cli.options import DATA, JSON
from sagedock.cli.printing import as_text

if TYPE_CHECKING:
    from sagedock.server.running.state import State


@click.command()
@JSON
@DATA
@click.pass_obj
def status(data: Path | None, as_json: bool) -> None:
    """Show whether a server runs, and where.

    Exits with 1 where none runs, or one that does not answer.
    """
    from sagedock.cli.context import settings_of
    from sagedock.cli.serving import lines_of
    from sagedock.server.running import daemon
    from sagedock.server.running.state import running

    folder = settings_of(data).data
    state = running(folder)
    answers = state is not None and daemon.answers(state)
    if as_json:
        click.echo(as_text(_document(state, folder, answers)))
    elif state is None:
        click.echo(f"No server runs on {folder}. Start one: sagedock up --detach")
    else:
        for line in lines_of(state, folder):
            click.echo(line)
        if not answers:
            click.echo(f"It does not answer: see {folder / daemon.LOG}")
    if not answers:
        raise click.exceptions.Exit(1)


def _document(state: State | None, folder: Path, answers: bool) -> dict[str, Any]:
    if state is None:
        return {"Status": "Down", "Data": str(folder)}
    return {
        "Status": "Up" if answers else "NotAnswering",
        "Data": str(folder),
        "Endpoint": state.endpoint,
        "Proxy": state.proxy,
        "Addresses": list(state.addresses),
        "Region": state.region,
        "AccountId": state.account,
        "Pid": state.pid,
        "Signed": state.wide,
        "Offline": state.offline,
    }
