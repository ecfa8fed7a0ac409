"""`sagedock logs`: what the containers of a job or an endpoint have printed, and print."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sagedock.cli.aws import AWS, is_aws
from sagedock.cli.lines import settled
from sagedock.cli.options import KIND

if TYPE_CHECKING:
    from sagedock.engine.plan import LogLine
    from sagedock.local.client import LocalSageMaker
    from sagedock.local.records import Job


@click.command()
@click.argument("name")
@click.option("-f", "--follow", is_flag=True, help="Go on until the job or endpoint ends.")
@click.option("-t", "--timestamps", is_flag=True, help="Show when each line was printed (UTC).")
@click.option(
    "-n", "--tail", type=click.IntRange(min=0), metavar="N", help="Only the last N lines."
)
@KIND
@AWS
@click.pass_obj
def logs(
    data: Path | None, /, name: str, follow: bool, timestamps: bool, tail: int | None,
    kind: str | None, **aws: Any,
) -> None:  # fmt: skip
    """Show the log of a job or an endpoint.

    --follow shows it as it grows; Ctrl-C ends the showing, not the job. Of a progress bar its last
    state is shown. Lines of an endpoint begin with their log stream: VARIANT/INSTANCE; on AWS so do
    those of a job on several hosts.
    """

    def show(lines: Iterable[LogLine]) -> None:
        for line in lines:
            text = settled(line.text)
            click.echo(f"{line.stamp} {text}" if timestamps else text)

    if is_aws(aws):
        from sagedock.cli.far_logs import lines_of

        show(lines_of(aws, name, kind, follow=follow, tail=tail))
        return
    from sagedock.cli.context import open_client

    with open_client(data) as client:
        show(_lines(client, name, kind, follow, tail))


def _lines(
    client: LocalSageMaker, name: str, kind: str | None, follow: bool, tail: int | None
) -> Iterable[LogLine]:
    from sagedock.cli.context import find_job
    from sagedock.errors import ResourceNotFoundError

    try:
        job = find_job(client, name, kind)
    except ResourceNotFoundError:
        if kind is None and (found := _of_endpoint(client, name, follow, tail)) is not None:
            return found
        raise
    return _followed(client, job, tail) if follow else _last(client.logs(job), tail)


def _of_endpoint(
    client: LocalSageMaker, name: str, follow: bool, tail: int | None
) -> Iterable[LogLine] | None:
    """The lines of an endpoint; None where there is none of that name."""
    from sagedock.errors import ResourceNotFoundError

    try:
        so_far = client.endpoint_logs(name)
    except ResourceNotFoundError:
        return None
    if not follow:
        return _last(_named(so_far), tail)
    skipped = 0 if tail is None else max(0, len(so_far) - tail)
    return islice(_named(client.follow_endpoint_logs(name)), skipped, None)


def _named(lines: Iterable[tuple[str, LogLine]]) -> Iterator[LogLine]:
    return (replace(line, text=f"[{stream}] {settled(line.text)}") for stream, line in lines)


def _last(lines: Iterable[LogLine], tail: int | None) -> Iterable[LogLine]:
    found = list(lines)
    return found if tail is None else found[max(0, len(found) - tail) :]


def _followed(client: LocalSageMaker, job: Job, tail: int | None) -> Iterator[LogLine]:
    skipped = 0 if tail is None else max(0, len(client.logs(job)) - tail)
    return islice(client.follow_logs(job), skipped, None)
