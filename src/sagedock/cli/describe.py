"""`sagedock describe`: everything known of a job or an endpoint, in the service's own words."""

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
    """Show everything known of a job or an endpoint.

    --json is DescribeTrainingJob's answer, or of what NAME is; times are ISO 8601. With --aws its
    place in the console is told, too, and what it costs by the price list (`sagedock prices`).
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
    from sagedock.cli.endpoint_summary import near_lines
    from sagedock.cli.summary import summary_lines
    from sagedock.errors import ResourceNotFoundError
    from sagedock.launch.job import LaunchedJob

    with open_session(data) as session:
        client = session.sagemaker_client
        try:
            found = find_job(client, name, kind)
        except ResourceNotFoundError:
            if kind is not None or name not in {item.name for item in client.endpoints()}:
                raise
            document = client.describe_endpoint(EndpointName=name)
            return document, near_lines(document)
        job = LaunchedJob(session, found.kind, name)
        return job.describe(), summary_lines(session, job)


def _far(data: Path | None, name: str, kind: str | None, aws: Mapping[str, Any]) -> Known:
    from sagedock.aws.endpoints import described_or_none
    from sagedock.cli.context import settings_of
    from sagedock.cli.endpoint_summary import far_lines
    from sagedock.cli.far import Far
    from sagedock.cli.far_summary import summary_lines
    from sagedock.errors import ResourceNotFoundError

    far, folder = Far(aws), settings_of(data).data
    try:
        job = far.job(name, kind)
    except ResourceNotFoundError:
        document = None if kind else described_or_none(far.sagemaker, name)
        if document is None:
            raise
        return document, far_lines(far, document, folder)
    return job.document, summary_lines(far.account, job, folder)
