"""`sagedock stop`: StopTrainingJob, StopProcessingJob."""

from __future__ import annotations

import time
from pathlib import Path

import click

from sagedock.cli.options import KIND

_POLL_SECONDS = 0.1


@click.command()
@click.argument("name")
@click.option("--wait", is_flag=True, help="Return when the job has ended.")
@KIND
@click.pass_obj
def stop(data: Path | None, name: str, wait: bool, kind: str | None) -> None:
    """Ask a running job to stop.

    Its container gets a signal, time to finish, then SIGKILL; what a training job has in its
    model folder by then is still packed.
    """
    from sagedock.cli.context import find_job, open_session
    from sagedock.launch.job import LaunchedJob

    with open_session(data) as session:
        client = session.sagemaker_client
        job = find_job(client, name, kind)
        LaunchedJob(session, job.kind, name).stop()
        while wait and client.job(job.kind, name).is_running:
            time.sleep(_POLL_SECONDS)
        status = client.job(job.kind, name).state.status
    click.echo(f"{job.kind.capitalize()} job {name}: {status}")
