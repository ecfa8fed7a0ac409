"""`sagedock track`: runs of MLflow for jobs that nobody has waited for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sagedock.cli.aws import AWS, open_session
from sagedock.cli.options import KIND, with_options
from sagedock.cli.tracking import TRACKING, tracked_as

if TYPE_CHECKING:
    from sagedock.launch.place import Place
    from sagedock.local.records import Kind


@click.command(
    epilog="""\b
Examples:
  sagedock train --detach … --mlflow-tracking-uri http://mlflow.example.com
  sagedock track JOB --mlflow-tracking-uri http://mlflow.example.com"""
)
@click.argument("names", metavar="JOB...", nargs=-1, required=True)
@KIND
@with_options(*TRACKING)
@AWS
@click.pass_obj
def track(data: Path | None, /, names: tuple[str, ...], kind: str | None, **options: Any) -> None:
    """Bring jobs that have ended to MLflow.

    Parameters, metrics, status: for jobs that were started with --detach, or left running; any
    job there is will do. A job that has a run already gets what it lacks, others get a new one.
    """
    with open_session(data, aws=options) as session:
        place = _tracked(session, options)
        for name in names:
            _record(place, _kind(session, name, kind), name, options["mlflow_tracking_uri"])


def _kind(session: Place, name: str, given: str | None) -> Kind:
    from sagedock.local.records import Kind

    return Kind(given) if given else session.kind_of(name)


def _tracked(session: Place, options: dict[str, Any]) -> Any:
    from sagedock.launch.tracking.place import is_tracked

    place = tracked_as(session, options)
    if not is_tracked(place):
        raise click.UsageError(
            "Missing option '--mlflow-tracking-uri' (or MLFLOW_TRACKING_URI): where to."
        )
    return place


def _record(place: Any, kind: Kind, name: str, uri: str) -> None:
    from sagedock.errors import OutputError
    from sagedock.launch.tracking.runs import TrackingError

    try:
        run = place.record(kind, name)
    except TrackingError as error:
        raise OutputError(
            f"{kind.capitalize()} job {name} is not tracked: MLflow at {uri}: {error}",
            hint="Nothing of the job is lost: try it again when the server answers.",
        ) from error
    if run is None:
        raise OutputError(
            f"{kind.capitalize()} job {name} goes on: its run gets metrics when it has ended.",
            hint=f"Wait for it: {place.follow_command(name)}",
        )
    click.echo(f"{name}: run {run}")
