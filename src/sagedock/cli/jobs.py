"""`sagedock jobs`: all jobs, newest first."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sagedock.cli.options import JSON, KIND
from sagedock.cli.printing import as_text, moment, table

if TYPE_CHECKING:
    from sagedock.local.records import Job

_STATUSES = ["InProgress", "Completed", "Failed", "Stopping", "Stopped"]
_HEAD = ("NAME", "KIND", "STATUS", "STARTED (UTC)", "SECONDS")


@click.command()
@KIND
@click.option("--status", type=click.Choice(_STATUSES, case_sensitive=False),
              help="Only jobs in this status.")  # fmt: skip
@click.option("-n", "--last", type=click.IntRange(min=1), metavar="N", help="Only the newest N.")
@JSON
@click.pass_obj
def jobs(
    data: Path | None, kind: str | None, status: str | None, last: int | None, as_json: bool
) -> None:
    """List jobs, newest first."""
    from sagedock.cli.context import open_client
    from sagedock.local.records import Kind

    with open_client(data) as client:
        found = client.jobs(Kind(kind) if kind else None)
    found = [job for job in found if status in {None, job.state.status}][:last]
    if as_json:
        click.echo(as_text([_document(job) for job in found]))
    elif found:
        click.echo("\n".join(table(_HEAD, [_row(job) for job in found])))
    else:
        click.echo("No jobs.", err=True)


def _row(job: Job) -> tuple[str, ...]:
    seconds = f"{_seconds(job):.1f}"
    return job.name, str(job.kind), str(job.state.status), moment(job.created), seconds


def _document(job: Job) -> dict[str, Any]:
    from sagedock.local.describe import summary

    members = summary(job)
    word = f"{job.kind.capitalize()}Job"
    return {
        "Name": job.name,
        "Kind": str(job.kind),
        "Status": str(job.state.status),
        "Arn": job.arn,
        "CreationTime": members["CreationTime"],
        "LastModifiedTime": members["LastModifiedTime"],
        "EndTime": members.get(f"{word.removesuffix('Job')}EndTime"),
        "Seconds": round(_seconds(job), 3),
    }


def _seconds(job: Job) -> float:
    """From its creation to its end, or until now."""
    return (job.state.ended or time.time()) - job.created
