"""`sagedock invoke`: InvokeEndpoint, InvokeEndpointWithResponseStream, InvokeEndpointAsync."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

if TYPE_CHECKING:
    from sagedock.local.hosting.calls.runtime import LocalRuntime

_HEADERS = (
    ("--content-type", "Type of the body.  [default: text/csv]"),
    ("--accept", "Type of answer wanted."),
    ("--custom-attributes", "Text that the container gets as it is."),
    ("--inference-id", "Name of this request, in captured data, too."),
    ("--target-model", "Model of a multi-model endpoint: its key below the prefix."),
    ("--target-variant", "Variant to ask, whatever the weights."),
    ("--target-container-hostname", "Container to ask, where they are asked one by one."),
    ("--session-id", "Stateful sessions: not to be had here, and refused."),
)


def _headers(function: Any) -> Any:
    for name, text in reversed(_HEADERS):
        function = click.option(name, metavar="TEXT", help=text)(function)
    return function


@click.command()
@click.argument("name")
@click.argument("text", required=False)
@click.option("--body", type=click.File("rb"), metavar="FILE",
              help="File to send, - for standard input; or give TEXT.")  # fmt: skip
@_headers
@click.option("--stream", is_flag=True, help="Print the answer as it comes.")
@click.option("--async", "later", is_flag=True,
              help="Let the request wait; print where its answer will be.")  # fmt: skip
@click.option("--input-location", metavar="URI", help="With --async: the object to send.")
@click.option("--timeout", type=int, metavar="SECONDS",
              help="With --async: what the model may take.")  # fmt: skip
@click.option("--wait", is_flag=True, help="With --async: wait for the answer and print it.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write the answer there, and print what else came with it.")  # fmt: skip
@click.pass_obj
def invoke(
    data: Path | None, /, name: str, text: str | None, body: BinaryIO | None, stream: bool,
    later: bool, input_location: str | None, timeout: int | None, wait: bool,
    output: Path | None, **headers: str | None,
) -> None:  # fmt: skip
    """Send a request to an endpoint, and print its answer."""
    from sagedock.cli.context import settings_of
    from sagedock.local.hosting.calls.runtime import LocalRuntime

    if (text is not None) + (body is not None) + (input_location is not None) != 1:
        raise click.UsageError("Give either TEXT, --body FILE or --async --input-location URI.")
    if stream and later:
        raise click.UsageError("--stream and --async can't both be had.")
    if not later and (input_location or timeout or wait):
        raise click.UsageError("--input-location, --timeout and --wait go with --async.")
    request = {"EndpointName": name, **_members(headers)}
    request.setdefault("ContentType", "text/csv")
    sent = body.read() if body else text
    with closing(LocalRuntime(settings_of(data))) as runtime:
        if later:
            request |= {"InputLocation": input_location, "InvocationTimeoutSeconds": timeout}
            answer = runtime.invoke_endpoint_async(Body=sent, **request)
            _tell_place(data, name, answer, output, wait=wait)
        else:
            _ask(runtime, request | {"Body": sent}, output, stream=stream)


def _members(headers: Mapping[str, str | None]) -> dict[str, Any]:
    return {
        "".join(word.capitalize() for word in name.split("_")): value
        for name, value in headers.items()
        if value is not None
    }


def _ask(
    runtime: LocalRuntime, request: dict[str, Any], output: Path | None, *, stream: bool
) -> None:
    if stream:
        answer = runtime.invoke_endpoint_with_response_stream(**request)
    else:
        answer = runtime.invoke_endpoint(**request)
    body = answer.pop("Body")
    with _target(output) as target:
        for part in (event["PayloadPart"]["Bytes"] for event in body) if stream else [body.read()]:
            target.write(part)
            target.flush()
    if output:
        click.echo(json.dumps(answer, indent=2))


@contextmanager
def _target(output: Path | None) -> Iterator[BinaryIO]:
    if output is None:
        yield sys.stdout.buffer
        return
    from sagedock.errors import OutputError

    try:
        stream = output.open("wb")
    except OSError as error:
        raise OutputError(f"{output} can't be written: {error.strerror}.") from error
    with stream:
        yield stream


def _tell_place(
    data: Path | None, name: str, answer: Mapping[str, str], output: Path | None, *, wait: bool
) -> None:
    if not wait:
        click.echo(json.dumps(answer, indent=2))
        return
    from sagedock.cli.context import open_session
    from sagedock.launch.async_predictor import WaiterConfig, awaited

    with open_session(data) as session, _target(output) as target:
        places = (answer["OutputLocation"], answer.get("FailureLocation"))
        found = awaited(session, name, *places, WaiterConfig())
        target.write(found)
        target.flush()
    if output:
        click.echo(json.dumps(answer, indent=2))
