"""`sagedock doctor`: what jobs need, looked at one by one, each with its remedy."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sagedock import __version__
from sagedock.cli.aws import AWS
from sagedock.cli.options import JSON

if TYPE_CHECKING:
    from sagedock.cli.configuration import Configuration
    from sagedock.errors import UsageError
    from sagedock.project.doctor.findings import Finding


@click.command(
    epilog="""\b
Examples:
  sagedock doctor
  sagedock doctor --aws --role SageMakerJobRole --bucket my-data --json"""
)
@AWS
@click.option("--role", metavar="NAME_OR_ARN", help="With --aws: the role that jobs have.")
@click.option("--bucket", metavar="NAME", help="With --aws: the bucket of inputs and results.")
@JSON
@click.pass_context
def doctor(ctx: click.Context, /, as_json: bool, **options: Any) -> None:
    """Check what jobs need, here and on AWS, and how to mend it.

    Changes nothing. Each check has a limit of time. Exits with 1 if anything failed; a warning is
    no failure.
    """
    from sagedock.cli.aws import is_aws
    from sagedock.cli.configuration import current
    from sagedock.project.doctor.checks import Subject, examine

    configuration = current()
    config = configuration.config
    given = {name: options[name] for name in ("region", "profile", "role", "bucket")}
    found = examine(
        Subject(
            version=__version__,
            variables=os.environ,
            config=config,
            data=_data(ctx.obj),
            problem=configuration.problem or _problem(ctx, configuration),
            aws=is_aws(options),
            **given,
        )
    )
    _show(found, as_json)
    if any(finding.level == "failure" for finding in found):
        ctx.exit(1)


def _data(given: Path | None) -> Path:
    """The data folder, wherever certificates and the like are wrong: that is told by its check."""
    from sagedock.local.settings import LocalSettings

    known = {name: value for name, value in os.environ.items() if name in _FOLDERS}
    return LocalSettings.from_environment(known, data=given).data


_FOLDERS = ("SAGEDOCK_DATA", "XDG_DATA_HOME", "HOME")


def _problem(ctx: click.Context, configuration: Configuration) -> UsageError | None:
    """The first mistake in a table of options."""
    from sagedock.cli.option_tables import check_all
    from sagedock.errors import UsageError

    try:
        check_all(configuration, ctx.find_root())
    except UsageError as error:
        return error
    return None


def _show(found: Sequence[Finding], as_json: bool) -> None:
    from sagedock.cli.printing import as_text

    failures = sum(finding.level == "failure" for finding in found)
    warnings = sum(finding.level == "warning" for finding in found)
    if as_json:
        document = {"ok": not failures, "findings": [asdict(finding) for finding in found]}
        click.echo(as_text(document))
        return
    width = max(len(finding.check) for finding in found)
    for finding in found:
        click.echo(f"{finding.level:<7}  {finding.check:<{width}}  {finding.found}")
        if finding.remedy:
            click.echo(f"{'':<7}  {'':<{width}}  -> {finding.remedy}")
    click.echo(f"{len(found)} checks: {failures} failed, {warnings} to be looked at", err=True)
