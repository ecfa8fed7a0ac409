"""`--template NAME` and `--request FILE`: a job by the name that the project's configuration has
for it, or one that a request says all of.

A template's options stand above the command's own table, and below the command line. Beside a
request the file says how a job is seen through, and nothing of the job itself.
"""

from __future__ import annotations

from typing import Any

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

_MANNER = frozenset((
    "detach", "quiet", "dry_run", "as_json", "aws", "profile", "region", "bucket",
))  # fmt: skip


def _alone(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    if value is not None and isinstance(ctx.default_map, Defaults):
        ctx.default_map.keep(_MANNER)
    return value


REQUEST = click.option(
    "--request", type=click.File("r", encoding="utf-8"), metavar="FILE", is_eager=True,
    callback=_alone,
    help="The whole job as the API's request in JSON (- for standard input), instead of options.",
)  # fmt: skip
"""Read before the other options, which then have no defaults from the file."""
