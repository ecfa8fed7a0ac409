"""`sagedock logs`: what a job's container has printed, and prints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sagedock.cli.lines import settled
from sagedock.cli.options import KIND

if TYPE_CHECKING:
    from sagedock.engine.plan import LogLine
    from sagedock.local.client import LocalSageMaker
    from sagedock.local.records import Job


@click.command()
@click.argument("name")
@click.option("-f", "--follow", is_flag=True, help="Go on until the job ends.")
@click.option("-t", "--timestamps", is_flag=True, help="Show when each line was printed (UTC).")
@click.option(
    "-n", "--tail", type=click.IntRange(min=0), metavar="N", help="Only the last N lines."
)
@KIND
@click.pass_obj
def logs(
    data: Path | None, name: str, follow: bool, timestamps: bool, tail: int | None, kind: str | None
) -> None:
    """Show a job's log, as it grows if you like.

    Ctrl-C ends the showing, not the job. Of a progress bar its last state is shown.
    """
    from sagedock.cli.context import find_job, open_client

    with open_client(data) as client:
        job = find_job(client, name, kind)
        lines = _followed(client, job, tail) if follow else _so_far(client, job, tail)
        for line in lines:
            text = settled(line.text)
            click.echo(f"{line.stamp} {text}" if timestamps else text)


def _so_far(client: LocalSageMaker, job: Job, tail: int | None) -> Iterable[LogLine]:
    lines = client.logs(job)
    return lines if tail is None else lines[max(0, len(lines) - tail) :]


def _followed(client: LocalSageMaker, job: Job, tail: int | None) -> Iterator[LogLine]:
    skipped = 0 if tail is None else max(0, len(client.logs(job)) - tail)
    return islice(client.follow_logs(job), skipped, None)
