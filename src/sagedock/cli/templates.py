"""`--template NAME`: a job by the name that the project's configuration has for it.

A template's options stand above the command's own table, and below the command line. Must not know
what the options are.
"""

from __future__ import annotations

import click

from sagedock.cli.configuration import Defaults


def _use(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value is not None and isinstance(ctx.default_map, Defaults):
        ctx.default_map.use(value)


TEMPLATE = click.option(
    "--template", metavar="NAME", is_eager=True, expose_value=False, callback=_use,
    help="Options of [templates.NAME] in the project's configuration; those given here win.",
)  # fmt: skip
"""Read before the other options, whose defaults it sets."""
