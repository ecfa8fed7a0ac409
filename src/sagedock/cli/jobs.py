"""`sagedock jobs`: all jobs, newest first."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sagedock.cli.aws import AWS, is_aws
from sagedock.cli.options import JSON, KIND
from sagedock.cli.printing import as_text, moment, table

if TYPE_CHECKING:
    from sagedock.local.records import Job

_STATUSES = ["InProgress", "Completed", "Failed", "Stopping", "Stopped"]
_HEAD = ("NAME", "KIND", "STATUS", "STARTED (UTC)", "SECONDS")
_FAR = 100
"""How many jobs of an account are shown where nothing else is said: it may have thousands."""


@click.command()
@KIND
@click.option("--status", type=click.Choice(_STATUSES, case_sensitive=False),
              help="Only jobs in this status.")  # fmt: skip
@click.option("-n", "--last", type=click.IntRange(min=1), metavar="N", help="Only the newest N.  "
              f"[default: all; with --aws {_FAR}]")  # fmt: skip
@JSON
@AWS
@click.pass_obj
def jobs(
    data: Path | None, /, kind: str | None, status: str | None, last: int | None, as_json: bool,
    **aws: Any,
) -> None:  # fmt: skip
    """List jobs, newest first."""
    found = _far(aws, kind, status, last) if is_aws(aws) else _near(data, kind, status, last)
    if as_json:
        click.echo(as_text([line.document() for line in found]))
    elif found:
        click.echo("\n".join(table(_HEAD, [line.row() for line in found])))
    else:
        click.echo("No jobs.", err=True)


@dataclass(frozen=True, kw_only=True)
class Line:
    """A job as it is listed, wherever it is."""

    name: str
    kind: str
    status: str
    arn: str
    created: datetime
    modified: datetime
    ended: datetime | None

    @property
    def seconds(self) -> float:
        """From its creation to its end, or until now."""
        end = self.ended.timestamp() if self.ended else time.time()
        return max(0.0, end - self.created.timestamp())

    def row(self) -> tuple[str, ...]:
        """For people."""
        began = moment(self.created.timestamp())
        return self.name, self.kind, self.status, began, f"{self.seconds:.1f}"

    def document(self) -> dict[str, Any]:
        """For programs."""
        return {
            "Name": self.name,
            "Kind": self.kind,
            "Status": self.status,
            "Arn": self.arn,
            "CreationTime": self.created,
            "LastModifiedTime": self.modified,
            "EndTime": self.ended,
            "Seconds": round(self.seconds, 3),
        }


def _near(data: Path | None, kind: str | None, status: str | None, last: int | None) -> list[Line]:
    from sagedock.cli.context import open_client
    from sagedock.local.records import Kind

    with open_client(data) as client:
        found = client.jobs(Kind(kind) if kind else None)
    return [_line(job) for job in found if status in {None, job.state.status}][:last]


def _line(job: Job) -> Line:
    ended = job.state.ended
    return Line(
        name=job.name,
        kind=str(job.kind),
        status=str(job.state.status),
        arn=job.arn,
        created=datetime.fromtimestamp(job.created, UTC),
        modified=datetime.fromtimestamp(job.state.modified, UTC),
        ended=datetime.fromtimestamp(ended, UTC) if ended else None,
    )


def _far(
    aws: Mapping[str, Any], kind: str | None, status: str | None, last: int | None
) -> list[Line]:
    from dataclasses import asdict

    from sagedock.aws.jobs import newest
    from sagedock.cli.far import Far

    limit = last or _FAR
    found = newest(Far(aws).sagemaker, kind, status=status, last=limit + 1)
    for error in found.refused:
        click.echo(f"Not listed: {error.message}", err=True)
    if len(found.jobs) > limit and last is None:
        click.echo(f"The newest {_FAR} jobs; more of them: --last N", err=True)
    return [Line(**asdict(job)) for job in found.jobs[:limit]]
