"""`sagedock delete-endpoint`: DeleteEndpoint."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import click

from sagedock.cli.aws import AWS, is_aws, open_session


@click.command("delete-endpoint")
@click.argument("name")
@AWS
@click.pass_obj
def delete_endpoint(data: Path | None, /, name: str, **aws: Any) -> None:
    """Delete an endpoint: what runs for it ends.

    Requests in flight get 30 seconds to be answered. Its logs stay, and so does its model.
    """
    from sagedock.launch.predictor import Predictor

    if is_aws(aws):
        from sagedock.aws.endpoints import described_or_none, not_found
        from sagedock.cli.far import Far

        far = Far(aws)
        if described_or_none(far.sagemaker, name) is None:
            raise not_found(far.sagemaker, name, far.where)
    with open_session(data, aws=aws) as session, closing(Predictor(name, session)) as predictor:
        predictor.delete_endpoint()
    click.echo(f"Endpoint {name}: deleted")
