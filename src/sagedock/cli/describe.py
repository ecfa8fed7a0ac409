"""`sagedock describe`: everything known of a job, in the service's own words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from sagedock.cli.aws import AWS, is_aws
from sagedock.cli.options import JSON, KIND
from sagedock.cli.printing import as_text, outline


@click.command()
@click.argument("name")
@KIND
@JSON
@AWS
@click.pass_obj
def describe(data: Path | None, /, name: str, kind: str | None, as_json: bool, **aws: Any) -> None:
    """Show everything known of a job.

    --json is DescribeTrainingJob's answer, or of what kind the job is; times are ISO 8601. With
    --aws its place in the console is told, too, and what it costs by the price list
    (`sagedock prices`).
    """
    document, lines = _far(data, name, kind, aws) if is_aws(aws) else _near(data, name, kind)
    if as_json:
        click.echo(as_text(document))
    else:
        click.echo("\n".join([*lines, "", *outline(document)]))


Known = tuple[Mapping[str, Any], list[str]]
"""A description, and what people want to know first."""


def _near(data: Path | None, name: str, kind: str | None) -> Known:
    from sagedock.cli.context import find_job, open_session
    from sagedock.cli.summary import summary_lines
    from sagedock.launch.job import LaunchedJob
    from sagedock.local.describe import describe as answer

    with open_session(data) as session:
        job = find_job(session.sagemaker_client, name, kind)
        return answer(job), summary_lines(session, LaunchedJob(session, job.kind, job.name))


def _far(data: Path | None, name: str, kind: str | None, aws: Mapping[str, Any]) -> Known:
    from sagedock.cli.context import settings_of
    from sagedock.cli.far import Far
    from sagedock.cli.far_summary import summary_lines

    far = Far(aws)
    job = far.job(name, kind)
    return job.document, summary_lines(far.account, job, settings_of(data).data)
