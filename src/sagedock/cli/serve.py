"""`sagedock serve`: a model at an endpoint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sagedock.cli.options import pairs
from sagedock.cli.templates import TEMPLATE

if TYPE_CHECKING:
    from sagedock.launch.model import Model, MultiDataModel
    from sagedock.launch.session import Session


@click.command()
@click.argument("image")
@click.option("--model-data", metavar="URI", help="model.tar.gz: a path or an s3:// URI.")
@click.option(
    "--multi-model",
    is_flag=True,
    help="--model-data is the s3:// prefix of many models, each loaded when it is asked for.",
)
@click.option(
    "--name", metavar="NAME", help="Name of the endpoint.  [default: from the image and the time]"
)
@click.option("--role", metavar="NAME_OR_ARN", help="Role that the model has.")
@click.option("--instance-type", metavar="TYPE", help="Such as ml.m5.xlarge, or local.")
@click.option(
    "--instance-count", type=click.IntRange(min=1), default=1, show_default=True, metavar="N",
    help="Instances that share the requests.",
)  # fmt: skip
@click.option(
    "--serverless", type=int, metavar="MB", help="Serverless, with that memory: 1024 to 6144."
)
@click.option(
    "--async-output", metavar="URI",
    help="Asynchronous inference: answers go below that s3:// prefix.",
)  # fmt: skip
@click.option("--capture", metavar="URI", help="Keep requests and answers below that s3:// prefix.")
@pairs(
    "-e",
    "--environment",
    form="NAME=VALUE",
    example="LEVEL=debug",
    text="Variable in the container. Repeatable.",
)
@click.option("--isolated", is_flag=True, help="The container reaches no network.")
@click.option(
    "--update",
    is_flag=True,
    help="Put the model in the place of what the endpoint --name serves, losing no request.",
)
@click.option(
    "--wait/--detach",
    "-w/-d",
    default=True,
    show_default=True,
    help="Return when the endpoint answers, or at once.",
)
@TEMPLATE
@click.pass_obj
def serve(
    data: Path | None, image: str, model_data: str | None, multi_model: bool, name: str | None,
    role: str | None, instance_type: str | None, instance_count: int, serverless: int | None,
    async_output: str | None, capture: str | None, environment: dict[str, str], isolated: bool,
    update: bool, wait: bool,
) -> None:  # fmt: skip
    """Keep a model ready at an endpoint.

    It goes on by itself until you delete it: sagedock delete-endpoint NAME
    """
    from sagedock.cli.context import open_session
    from sagedock.launch import inference_configs as configs

    if update and not name:
        raise click.UsageError("--update needs --name: which endpoint?")
    with open_session(data) as session:
        model = _model(session, image, model_data, multi_model, role, environment, isolated)
        predictor = model.deploy(
            instance_count,
            instance_type,
            endpoint_name=name,
            serverless_inference_config=(
                configs.ServerlessInferenceConfig(serverless) if serverless is not None else None
            ),
            async_inference_config=(
                configs.AsyncInferenceConfig(async_output) if async_output else None
            ),
            data_capture_config=configs.DataCaptureConfig(True, 100, capture) if capture else None,
            update_endpoint=update,
            wait=wait,
        )
        predictor.close()
    click.echo(predictor.endpoint_name)
    click.echo(f"Call it:    sagedock invoke {predictor.endpoint_name} --body FILE", err=True)
    click.echo(f"Its log:    sagedock logs {predictor.endpoint_name}", err=True)
    click.echo(f"Delete it:  sagedock delete-endpoint {predictor.endpoint_name}", err=True)


def _model(
    session: Session, image: str, model_data: str | None, multi_model: bool, role: str | None,
    environment: dict[str, str], isolated: bool,
) -> Model | MultiDataModel:  # fmt: skip
    from sagedock.contract.names import base_name_of_image
    from sagedock.launch.model import Model, MultiDataModel

    if not multi_model:
        return Model(
            image, model_data, role, env=environment, enable_network_isolation=isolated,
            sagemaker_session=session,
        )  # fmt: skip
    if not model_data:
        raise click.UsageError("--multi-model needs --model-data: the s3:// prefix of the models.")
    name = session.job_name(None, base_name_of_image(image))
    return MultiDataModel(
        name, model_data, image, role, env=environment, enable_network_isolation=isolated,
        sagemaker_session=session,
    )  # fmt: skip
