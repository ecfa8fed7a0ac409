"""`sagedock process`: options become a CreateProcessingJob request."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import click

from sagedock.cli.options import job_options, pairs
from sagedock.contract.paths import ML

if TYPE_CHECKING:
    from sagedock.launch.place import Place
    from sagedock.launch.processing import ProcessingInput, ProcessingOutput
    from sagedock.launch.upload import Upload
    from sagedock.requests import Request


@click.command(
    epilog=f"""\b
Example (everything after -- goes to the script):
  sagedock process --image sagedock/processing --code prepare.py \\
      -i raw=data/raw.csv:{ML.processing}/input -o train={ML.processing}/train:out/train \\
      -- --test-ratio 0.2"""
)
@click.option("--image", metavar="IMAGE", help="Image to run in, such as sagedock/processing.")
@click.option("--command", default="python3", show_default=True, metavar="WORDS",
              help="Interpreter of the script.")  # fmt: skip
@click.option("--code", metavar="SCRIPT", help="Script to run: a path or an s3:// URI.")
@pairs("-i", "--input", form="NAME=SOURCE:PATH", example=f"raw=data/raw.csv:{ML.processing}/raw",
       text="Data (a path or an s3:// URI) and where the container sees it. "
       "Repeatable.")  # fmt: skip
@pairs("-o", "--output", form="NAME=PATH[:TARGET]", example=f"train={ML.processing}/train:out",
       text="Folder of the container to keep, and where: a folder or an s3:// prefix "
       "[default: the local store]. Repeatable.")  # fmt: skip
@job_options
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def process(**options: Any) -> None:
    """Run a script as a processing job.

    Waits for its end and shows its log. Ctrl-C stops a job on this machine; with --aws it asks
    first. Exits with 13 unless the job completes.
    """
    from sagedock.cli.job_parts import processing_input, processing_output
    from sagedock.cli.launching import launch
    from sagedock.local.records import Kind

    if not options["code"] and not options["request"]:
        raise click.UsageError("Missing option '--code': the script to run.")
    inputs = [processing_input(name, text) for name, text in options["input"].items()]
    outputs = [processing_output(name, text) for name, text in options["output"].items()]
    launch(Kind.PROCESSING, options, lambda session: _prepare(session, options, inputs, outputs))


def _prepare(
    session: Place,
    options: dict[str, Any],
    inputs: list[ProcessingInput],
    outputs: list[ProcessingOutput],
) -> tuple[Request, list[Upload]]:
    from sagedock.cli.job_parts import experiment, named
    from sagedock.launch.processing import NetworkConfig, ScriptProcessor

    same = ("role", "instance_type", "instance_count", "base_job_name", "volume_kms_key",
            "output_kms_key")  # fmt: skip
    processor = ScriptProcessor(
        options["image"],
        shlex.split(options["command"]),
        sagemaker_session=session,
        max_runtime_in_seconds=options["max_run"],
        env=options["environment"],
        tags=named(options["tag"], "Key", "Value"),
        network_config=NetworkConfig(
            options["network_isolation"],
            options["security_groups"],
            options["subnets"],
            options["encrypt_traffic"],
        ),
        **{name: options[name] for name in same},
    )
    code, arguments, name = options["code"], options["arguments"], options["job_name"]
    return processor.prepare(code, inputs, outputs, arguments, name, experiment(options))
