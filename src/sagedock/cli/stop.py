"""`sagedock stop`: StopTrainingJob, StopProcessingJob, StopTransformJob."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from sagedock.cli.aws import AWS, is_aws
from sagedock.cli.options import KIND

_POLL_SECONDS = 0.1
_FAR_POLL_SECONDS = 2.0


@click.command()
@click.argument("name")
@click.option("--wait", is_flag=True, help="Return when the job has ended.")
@KIND
@AWS
@click.pass_obj
def stop(data: Path | None, /, name: str, wait: bool, kind: str | None, **aws: Any) -> None:
    """Ask a running job to stop.

    Its container gets a signal, time to finish, then SIGKILL; what a training job has in its
    model folder by then is still packed.
    """
    kind, status = _far(aws, name, kind, wait) if is_aws(aws) else _near(data, name, kind, wait)
    click.echo(f"{kind.capitalize()} job {name}: {status}")


def _near(data: Path | None, name: str, kind: str | None, wait: bool) -> tuple[str, str]:
    from sagedock.cli.context import find_job, open_session
    from sagedock.launch.job import LaunchedJob

    with open_session(data) as session:
        client = session.sagemaker_client
        job = find_job(client, name, kind)
        LaunchedJob(session, job.kind, name).stop()
        while wait and client.job(job.kind, name).is_running:
            time.sleep(_POLL_SECONDS)
        return str(job.kind), str(client.job(job.kind, name).state.status)


def _far(aws: Mapping[str, Any], name: str, kind: str | None, wait: bool) -> tuple[str, str]:
    from sagedock.aws.jobs import describe
    from sagedock.cli.far import Far

    far = Far(aws)
    found = far.job(name, kind).kind
    getattr(far.sagemaker, f"stop_{found}_job")(**{f"{found.capitalize()}JobName": name})
    job = describe(far.sagemaker, found, name)
    while wait and job.is_running:
        time.sleep(_FAR_POLL_SECONDS)
        job = describe(far.sagemaker, found, name)
    return found, job.status
