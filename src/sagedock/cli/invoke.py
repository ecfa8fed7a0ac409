"""`sagedock invoke`: InvokeEndpoint, InvokeEndpointWithResponseStream, InvokeEndpointAsync."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from sagedock.cli.aws import AWS, is_aws, open_session

if TYPE_CHECKING:
    from sagedock.launch.place import Place

_HEADERS = (
    ("--content-type", "Type of the body.  [default: text/csv]"),
    ("--accept", "Type of answer wanted."),
    ("--custom-attributes", "Text that the container gets as it is."),
    ("--inference-id", "Name of this request, in captured data, too."),
    ("--target-model", "Model of a multi-model endpoint: its key below the prefix."),
    ("--target-variant", "Variant to ask, whatever the weights."),
    ("--target-container-hostname", "Container to ask, where they are asked one by one."),
    ("--session-id", "Stateful sessions, with --aws only: refused on this machine."),
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
@AWS
@click.pass_obj
def invoke(
    data: Path | None, /, name: str, text: str | None, body: BinaryIO | None, stream: bool,
    later: bool, input_location: str | None, timeout: int | None, wait: bool,
    output: Path | None, aws: bool, profile: str | None, region: str | None,
    **headers: str | None,
) -> None:  # fmt: skip
    """Send a request to an endpoint, and print its answer."""
    if (text is not None) + (body is not None) + (input_location is not None) != 1:
        raise click.UsageError("Give either TEXT, --body FILE or --async --input-location URI.")
    if stream and later:
        raise click.UsageError("--stream and --async can't both be had.")
    if not later and (input_location or timeout or wait):
        raise click.UsageError("--input-location, --timeout and --wait go with --async.")
    request = {"EndpointName": name, **_members(headers)}
    request.setdefault("ContentType", "text/csv")
    sent = body.read() if body else text
    options = {"aws": aws, "profile": profile, "region": region}
    with open_session(data, aws=options) as session, _no_endpoint(options, name):
        if later:
            request |= {"InputLocation": input_location, "InvocationTimeoutSeconds": timeout}
            with closing(session.runtime()) as runtime:
                answer = runtime.invoke_endpoint_async(Body=sent, **request)
            _tell_place(session, name, answer, output, wait=wait)
        else:
            _ask(session, request | {"Body": sent}, output, stream=stream)


def _members(headers: Mapping[str, str | None]) -> dict[str, Any]:
    return {
        "".join(word.capitalize() for word in name.split("_")): value
        for name, value in headers.items()
        if value is not None
    }


@contextmanager
def _no_endpoint(options: Mapping[str, Any], name: str) -> Iterator[None]:
    """Names like the one of an endpoint that AWS does not know."""
    from sagedock.errors import ResourceNotFoundError

    try:
        yield
    except ResourceNotFoundError as error:
        if not is_aws(options) or "ndpoint" not in error.message:
            raise
        from sagedock.aws.endpoints import described_or_none, not_found
        from sagedock.cli.far import Far

        far = Far(options)
        if described_or_none(far.sagemaker, name) is not None:
            raise
        raise not_found(far.sagemaker, name, far.where) from error


def _ask(session: Place, request: dict[str, Any], output: Path | None, *, stream: bool) -> None:
    with closing(session.runtime()) as runtime:
        if stream:
            answer = dict(runtime.invoke_endpoint_with_response_stream(**request))
        else:
            answer = dict(runtime.invoke_endpoint(**request))
        body = answer.pop("Body")
        parts = (event["PayloadPart"]["Bytes"] for event in body) if stream else [body.read()]
        with _target(output) as target:
            for part in parts:
                target.write(part)
                target.flush()
    _tell(answer, output)


def _tell(answer: Mapping[str, Any], output: Path | None) -> None:
    """What came with an answer, where the answer itself went to a file."""
    if output:
        click.echo(json.dumps(_members_of(answer), indent=2))


def _members_of(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Without what boto3 says of the HTTP answer."""
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}


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
    session: Place, name: str, answer: Mapping[str, Any], output: Path | None, *, wait: bool
) -> None:
    if not wait:
        click.echo(json.dumps(_members_of(answer), indent=2))
        return
    from sagedock.launch.async_predictor import WaiterConfig, awaited

    with _target(output) as target:
        places = (answer["OutputLocation"], answer.get("FailureLocation"))
        found = awaited(session, name, *places, WaiterConfig())
        target.write(found)
        target.flush()
    _tell(answer, output)
