"""`sagedock transform`: options become a CreateTransformJob request. Must not know how it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from sagedock.cli.options import TRANSFORM, with_options

if TYPE_CHECKING:
    from sagedock.launch.model import Model
    from sagedock.launch.place import Place
    from sagedock.launch.upload import Upload
    from sagedock.requests import Request


_OPTIONS = (
    click.option("--model-name", metavar="NAME", help="Model that has been made before."),
    click.option("--image", metavar="IMAGE",
                 help="Image of a new model, such as sagedock/serving; it gets the job's name."),
    click.option("--model-data", metavar="SOURCE",
                 help="The new model's model.tar.gz: a path or an s3:// URI."),
    click.option("-i", "--input", "source", metavar="SOURCE",
                 help="Data: a file, a folder or an s3:// URI. Each object is transformed."),
    click.option("-o", "--output", "--output-path", "output", metavar="TARGET",
                 help="Folder or s3:// prefix for <key>.out.  [default: the local store]"),
    click.option("--data-type", type=click.Choice(["S3Prefix", "ManifestFile"]), default="S3Prefix",
                 show_default=True, help="What the input names."),
    click.option("--content-type", metavar="TYPE", help="Media type of the data: text/csv, …"),
    click.option("--split-type", type=click.Choice(["None", "Line", "RecordIO", "TFRecord"]),
                 help="Where an object may be cut.  [default: None]"),
    click.option("--strategy", "--batch-strategy", "strategy",
                 type=click.Choice(["MultiRecord", "SingleRecord"]),
                 help="Records in one request: as many as fit, or one."),
    click.option("--assemble-with", type=click.Choice(["None", "Line"]),
                 help="What ends each answer in the output.  [default: None]"),
    click.option("--accept", metavar="TYPE", help="Media type of the answers."),
    click.option("--max-payload", type=click.IntRange(0, 100), metavar="MB",
                 help="Size of a request; 0 for no limit.  [default: the container's, or 6]"),
    click.option("--max-concurrent-transforms", type=click.IntRange(min=0), metavar="COUNT",
                 help="Requests at a time.  [default: the container's, or 1]"),
    click.option("--input-filter", metavar="JSONPATH", help="What of each record the model sees."),
    click.option("--join-source", type=click.Choice(["None", "Input"]),
                 help="Input: each answer goes beside its record."),
    click.option("--output-filter", metavar="JSONPATH", help="What of each result is kept."),
    click.option("--invocation-timeout", type=click.IntRange(1, 3600), metavar="SECONDS",
                 help="Time for an answer.  [default: 600]"),
    click.option("--invocation-retries", type=click.IntRange(0, 3), metavar="COUNT",
                 help="Further tries of a request that failed.  [default: 3]"),
)  # fmt: skip


@click.command(
    epilog="""\b
Examples:
  sagedock transform --image sagedock/serving --model-data model.tar.gz -i data.csv -o scores \\
      --content-type text/csv --split-type Line --assemble-with Line
  sagedock transform --model-name churn -i s3://data/customers/ --content-type text/csv \\
      --accept text/csv --split-type Line --assemble-with Line \\
      --input-filter '$[1:]' --join-source Input --output-filter '$[0,-1]'
  sagedock transform --request job.json --detach"""
)
@with_options(*_OPTIONS, *TRANSFORM)
def transform(**options: Any) -> None:
    """Send data through a model in batches.

    Waits for the end and shows the container's log. Ctrl-C stops a job on this machine; with --aws
    it asks first. Exits with 13 unless the job completes.
    """
    from sagedock.cli.configuration import typed_over_file
    from sagedock.cli.launching import launch
    from sagedock.local.records import Kind

    typed_over_file(options, "model_name", "image", "model_data")
    typed_over_file(options, "image", "model_name")
    if not options["request"]:
        _check(options)
    launch(
        Kind.TRANSFORM,
        options,
        lambda session: _prepare(session, options),
        ready=(lambda session, name: _made(_model(session, options, name)))
        if options["image"]
        else None,
    )  # fmt: skip


def _check(options: dict[str, Any]) -> None:
    if bool(options["model_name"]) == bool(options["image"]):
        raise click.UsageError(
            "Exactly one of --model-name and --image is needed: a model that is there, or the "
            "image of a new one."
        )
    if options["model_data"] and not options["image"]:
        raise click.UsageError("--model-data needs --image: the model that it is for.")
    if not options["source"]:
        raise click.UsageError("Missing option '--input': the data to transform.")


def _prepare(session: Place, options: dict[str, Any]) -> tuple[Request, list[Upload]]:
    from sagedock.cli.job_parts import experiment, named
    from sagedock.contract.names import base_name_of_image
    from sagedock.launch.transformer import Transformer

    base = options["base_job_name"] or (
        base_name_of_image(options["image"]) if options["image"] else options["model_name"]
    )
    name = session.job_name(options["job_name"], base)
    if options["image"] and options["model_data"]:
        session.input_uri(options["model_data"])  # nothing is promised that isn't there
    client = {
        "InvocationsTimeoutInSeconds": options["invocation_timeout"],
        "InvocationsMaxRetries": options["invocation_retries"],
    }
    same = ("instance_count", "instance_type", "strategy", "assemble_with", "accept",
            "max_concurrent_transforms", "max_payload", "output_kms_key",
            "volume_kms_key")  # fmt: skip
    transformer = Transformer(
        options["model_name"] or name,
        sagemaker_session=session,
        output_path=options["output"],
        env=options["environment"],
        tags=named(options["tag"], "Key", "Value"),
        **{key: options[key] for key in same},
    )
    asked = ("data_type", "content_type", "split_type", "input_filter", "output_filter",
             "join_source")  # fmt: skip
    request = transformer.prepare(
        options["source"],
        job_name=name,
        experiment_config=experiment(options),
        model_client_config={key: value for key, value in client.items() if value is not None},
        **{key: options[key] for key in asked},
    )
    return request, []


def _model(session: Place, options: dict[str, Any], name: str) -> Model:
    from sagedock.launch.model import Model

    return Model(
        options["image"],
        options["model_data"],
        options["role"],
        name=name,
        sagemaker_session=session,
    )


@contextmanager
def _made(model: Model) -> Iterator[None]:
    """The model is there in the block, and after it unless that fails."""
    from sagedock.errors import SagedockError

    model.create()
    try:
        yield
    except SagedockError:
        model.delete_model()
        raise
