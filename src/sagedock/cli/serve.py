"""`sagedock serve`: a model at an endpoint."""

from __future__ import annotations

from pathlib import Path

import click

from sagedock.cli.options import pairs


@click.command()
@click.argument("image")
@click.option("--model-data", metavar="URI", help="model.tar.gz: a path or an s3:// URI.")
@click.option(
    "--name", metavar="NAME", help="Name of the endpoint.  [default: from the image and the time]"
)
@click.option("--role", metavar="NAME_OR_ARN", help="Role that the model has.")
@click.option("--instance-type", metavar="TYPE", help="Such as ml.m5.xlarge, or local.")
@pairs(
    "-e",
    "--environment",
    form="NAME=VALUE",
    example="LEVEL=debug",
    text="Variable in the container. Repeatable.",
)
@click.option(
    "--wait/--detach",
    "-w/-d",
    default=True,
    show_default=True,
    help="Return when the endpoint answers, or at once.",
)
@click.pass_obj
def serve(
    data: Path | None, image: str, model_data: str | None, name: str | None, role: str | None,
    instance_type: str | None, environment: dict[str, str], wait: bool,
) -> None:  # fmt: skip
    """Keep a model ready at an endpoint.

    It goes on by itself until you delete it: sagedock delete-endpoint NAME
    """
    from sagedock.cli.context import open_session
    from sagedock.launch.model import Model

    with open_session(data) as session:
        model = Model(image, model_data, role, env=environment, sagemaker_session=session)
        predictor = model.deploy(1, instance_type, endpoint_name=name, wait=wait)
        predictor.close()
    click.echo(predictor.endpoint_name)
    click.echo(f"Call it:    sagedock invoke {predictor.endpoint_name} --body FILE", err=True)
    click.echo(f"Delete it:  sagedock delete-endpoint {predictor.endpoint_name}", err=True)
