"""`sagedock invoke`: InvokeEndpoint."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO

import click


@click.command()
@click.argument("name")
@click.argument("text", required=False)
@click.option(
    "--body",
    type=click.File("rb"),
    metavar="FILE",
    help="File to send, - for standard input; or give TEXT.",
)
@click.option("--content-type", default="text/csv", show_default=True, help="Type of the body.")
@click.option("--accept", metavar="TYPE", help="Type of answer wanted.")
@click.option("--target-variant", metavar="VARIANT", help="Variant to ask, whatever the weights.")
@click.pass_obj
def invoke(
    data: Path | None, name: str, text: str | None, body: BinaryIO | None, content_type: str,
    accept: str | None, target_variant: str | None,
) -> None:  # fmt: skip
    """Send a request to an endpoint, and print its answer."""
    from contextlib import closing

    from sagedock.cli.context import settings_of
    from sagedock.local.hosting.runtime import LocalRuntime

    if (text is None) == (body is None):
        raise click.UsageError("Give either TEXT or --body FILE.")
    sent = body.read() if body else (text or "").encode()
    with closing(LocalRuntime(settings_of(data))) as runtime:
        answer = runtime.invoke_endpoint(
            EndpointName=name,
            Body=sent,
            ContentType=content_type,
            Accept=accept,
            TargetVariant=target_variant,
        )
    sys.stdout.buffer.write(answer["Body"].read())
    sys.stdout.buffer.flush()
