"""`sagedock env`: what points a shell at the server, as commands of that shell."""

from __future__ import annotations

import os
from pathlib import Path

import click

from sagedock.cli.options import DATA


@click.command(
    epilog="""\b
Examples:
  eval "$(sagedock env)"                                 # bash, zsh, dash
  sagedock env --shell fish | source
  sagedock env --shell powershell | Out-String | Invoke-Expression
  eval "$(sagedock env --unset)"                         # as it was before"""
)
@click.option("--shell", type=click.Choice(["sh", "fish", "powershell"]), default="sh",
              show_default=True, help="Whose commands to print.")  # fmt: skip
@click.option("--unset", is_flag=True, help="Put everything back as it was before.")
@DATA
@click.pass_obj
def env(data: Path | None, shell: str, unset: bool) -> None:
    """Print what points a shell at the server.

    Endpoint, key and region; a proxy and its certificate, for programs that spell out AWS's own
    addresses; a configuration of the SageMaker SDKs. Real credentials and profiles are hidden.
    """
    from sagedock.cli.context import settings_of
    from sagedock.cli.serving import nothing_runs
    from sagedock.local.outer import SAVED, saved
    from sagedock.server.running.environment import program_environment
    from sagedock.server.running.shells import commands
    from sagedock.server.running.state import running

    if unset:
        before = saved(os.environ)
        changes = {**before, SAVED: None} if before else {}
    else:
        folder = settings_of(data).data
        state = running(folder)
        if state is None:
            raise nothing_runs(folder)
        changes = program_environment(state, folder, os.environ, home=Path.home(), restorable=True)
    for line in commands(changes, shell):
        click.echo(line)
