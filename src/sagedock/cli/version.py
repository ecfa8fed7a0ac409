"""`sagedock version`. Must not need an engine."""

from __future__ import annotations

import platform
from pathlib import Path

import click

from sagedock import __version__


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_obj
def version(data: Path | None, as_json: bool) -> None:
    """Show the versions in use and where data is kept."""
    from importlib.metadata import version as installed

    from sagedock.cli.printing import as_text, outline
    from sagedock.local.settings import LocalSettings

    facts = {
        "sagedock": __version__,
        "python": platform.python_version(),
        "botocore": installed("botocore"),
        "docker": installed("docker"),
        "data": str(LocalSettings.from_environment(data=data).data),
    }
    click.echo(as_text(facts) if as_json else "\n".join(outline(facts)))
