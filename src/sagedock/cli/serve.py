"""`sagedock serve`: a model at an endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from sagedock.cli.options import AWS_OPTIONS, BUCKET, NETWORK, pairs, with_options
from sagedock.cli.templates import TEMPLATE

if TYPE_CHECKING:
    from sagedock.launch.model import Model, MultiDataModel
    from sagedock.launch.place import Place


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
@click.option(
    "--dry-run", is_flag=True, help="Print the requests as JSON, by operation, and start nothing."
)
@click.option("--json", "as_json", is_flag=True, help="Print DescribeEndpoint's answer as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="Print the endpoint's name only.")
@with_options(*NETWORK[:2], *AWS_OPTIONS, BUCKET)
def serve(**options: Any) -> None:
    """Keep a model ready at an endpoint.

    It goes on by itself until you delete it: sagedock delete-endpoint NAME. With --aws it is paid
    for until then.
    """
    if options["update"] and not options["name"]:
        raise click.UsageError("--update needs --name: which endpoint?")
    if options["dry_run"]:
        _plan(options)
    else:
        _run(options)


def _plan(options: Mapping[str, Any]) -> None:
    from sagedock import requests
    from sagedock.cli.aws import is_aws
    from sagedock.cli.launching import plans_on
    from sagedock.cli.printing import as_text

    is_aws(options)
    with plans_on(click.get_current_context().obj, options) as session:
        calls = _model(session, options).prepare(**_deployment(options))
    for operation, request in calls:
        requests.validate(operation, request)
    click.echo(as_text(dict(calls)))


def _run(options: Mapping[str, Any]) -> None:
    import sys

    from sagedock.cli.aws import open_session
    from sagedock.cli.listeners import show_on
    from sagedock.cli.printing import as_text

    show = show_on(sys.stderr, quiet=options["quiet"])
    with open_session(click.get_current_context().obj, show, options) as session:
        with show:
            model = _model(session, options)
            predictor = model.deploy(wait=options["wait"], **_deployment(options))
            predictor.close()
        name = predictor.endpoint_name
        if options["as_json"]:
            client = session.sagemaker_client
            click.echo(as_text(client.describe_endpoint(EndpointName=name)))
        else:
            click.echo(name)
    if not options["quiet"]:
        _say_how_to_go_on(name, _suffix(session, options))


def _say_how_to_go_on(name: str, where: str) -> None:
    click.echo(f"Call it:    sagedock invoke {name}{where} --body FILE", err=True)
    click.echo(f"Its log:    sagedock logs {name}{where}", err=True)
    click.echo(f"Delete it:  sagedock delete-endpoint {name}{where}", err=True)


def _suffix(session: Place, options: Mapping[str, Any]) -> str:
    return f" --aws --region {session.region}" if options["aws"] else ""


def _deployment(options: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `Model.prepare`."""
    from sagedock.launch import inference_configs as configs

    memory, answers, capture = (options[key] for key in ("serverless", "async_output", "capture"))
    return {
        "initial_instance_count": options["instance_count"],
        "instance_type": options["instance_type"],
        "endpoint_name": options["name"],
        "serverless_inference_config": (
            configs.ServerlessInferenceConfig(memory) if memory is not None else None
        ),
        "async_inference_config": configs.AsyncInferenceConfig(answers) if answers else None,
        "data_capture_config": configs.DataCaptureConfig(True, 100, capture) if capture else None,
        "update_endpoint": options["update"],
    }


def _model(session: Place, options: Mapping[str, Any]) -> Model | MultiDataModel:
    from sagedock.cloud_requests import vpc
    from sagedock.contract.names import base_name_of_image
    from sagedock.launch.model import Model, MultiDataModel

    image, data, role = (options[key] for key in ("image", "model_data", "role"))
    more = {
        "env": options["environment"],
        "enable_network_isolation": options["isolated"],
        "vpc_config": vpc(options["subnets"], options["security_groups"]),
        "sagemaker_session": session,
    }
    if not options["multi_model"]:
        return Model(image, data, role, **more)
    if not data:
        raise click.UsageError("--multi-model needs --model-data: the s3:// prefix of the models.")
    return MultiDataModel(
        session.job_name(None, base_name_of_image(image)), data, image, role, **more
    )
