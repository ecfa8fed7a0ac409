"""Options of tracking by MLflow, and the session whose jobs are tracked as they say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from sagedock.launch.place import Place

TRACKING = (
    click.option("--mlflow-tracking-uri", metavar="URI", envvar="MLFLOW_TRACKING_URI",
                 help="Log the job's parameters and metrics to that MLflow: a server's address, or "
                 "the ARN of SageMaker's."),
    click.option("--mlflow-experiment", metavar="NAME", envvar="MLFLOW_EXPERIMENT_NAME",
                 help="Experiment that the job's run is in."),
)  # fmt: skip
NAMES = ("mlflow_tracking_uri", "mlflow_experiment")


def tracked_as(place: Place, options: Mapping[str, Any]) -> Place:
    """`place`, its jobs tracked where the options say so. Raises UsageError where a wished URI
    needs what is not installed; one that the environment names is told of and left."""
    from sagedock.launch.tracking.place import tracked

    uri = options.get("mlflow_tracking_uri")
    source = click.get_current_context().get_parameter_source("mlflow_tracking_uri")
    wished = None if source is ParameterSource.ENVIRONMENT else uri
    return tracked(place, wished, options.get("mlflow_experiment"))
