"""`sagedock endpoints`: all endpoints, newest first."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from sagedock.cli.aws import AWS, is_aws
from sagedock.cli.options import JSON
from sagedock.cli.printing import as_text, moment, table

_HEAD = ("NAME", "STATUS", "VARIANTS", "CREATED (UTC)", "FAILURE")


@click.command()
@JSON
@AWS
@click.pass_obj
def endpoints(data: Path | None, /, as_json: bool, **aws: Any) -> None:
    """List endpoints, newest first.

    --json is DescribeEndpoint's answer of each.
    """
    found = _far(aws) if is_aws(aws) else _near(data)
    if as_json:
        click.echo(as_text(found))
    elif found:
        click.echo("\n".join(table(_HEAD, [_row(document) for document in found])))
    else:
        click.echo("No endpoints.", err=True)


def _row(document: Mapping[str, Any]) -> tuple[str, ...]:
    variants = document.get("ProductionVariants", ())
    live = (item for item in variants if item.get("CurrentInstanceCount", 1))
    return (
        document["EndpointName"],
        document["EndpointStatus"],
        " ".join(item["VariantName"] for item in live) or "-",
        moment(document["CreationTime"].timestamp()),
        document.get("FailureReason", "-").partition("\n")[0] or "-",
    )


def _near(data: Path | None) -> list[Mapping[str, Any]]:
    from sagedock.cli.context import open_client

    with open_client(data) as client:
        return [client.describe_endpoint(EndpointName=item.name) for item in client.endpoints()]


def _far(aws: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    from sagedock.aws.endpoints import described
    from sagedock.cli.far import Far

    return described(Far(aws).sagemaker)
