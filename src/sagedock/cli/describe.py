"""`sagedock describe`: everything known of a job, in the service's own words."""

from __future__ import annotations

from pathlib import Path

import click

from sagedock.cli.options import JSON, KIND
from sagedock.cli.printing import as_text, outline


@click.command()
@click.argument("name")
@KIND
@JSON
@click.pass_obj
def describe(data: Path | None, name: str, kind: str | None, as_json: bool) -> None:
    """Show everything known of a job.

    --json is DescribeTrainingJob's or DescribeProcessingJob's answer; times are ISO 8601.
    """
    from sagedock.cli.context import find_job, open_session
    from sagedock.cli.summary import summary_lines
    from sagedock.local.describe import describe as answer

    with open_session(data) as session:
        job = find_job(session.sagemaker_client, name, kind)
        document = answer(job)
        if as_json:
            click.echo(as_text(document))
            return
        lines = [*summary_lines(session, job), "", *outline(document)]
    click.echo("\n".join(lines))
