"""`sagedock train`: options become a CreateTrainingJob request. Must not know how it is run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sagedock.cli.options import job_options, pairs

if TYPE_CHECKING:
    from sagedock.launch.session import Session
    from sagedock.launch.upload import Upload
    from sagedock.requests import Request


@click.command(
    epilog="""\b
Examples:
  sagedock train --image sagedock/training -p objective=binary:logistic -p num_round=100 \\
      -i train=data/train.csv -i validation=data/validation.csv --content-type text/csv
  sagedock train --image sagedock/training --entry-point train.py --source-dir src -p epochs=3
  sagedock train --request job.json --detach"""
)
@click.option("--image", metavar="IMAGE", help="Image to train with, such as sagedock/training.")
@click.option("--entry-point", metavar="SCRIPT", help="Script that the image is to run.")
@click.option("--source-dir", metavar="DIR", help="Folder that the script and its files are in.")
@pairs("-p", "--hyperparameter", form="NAME=VALUE", example="epochs=3",
       text="Hyperparameter, as typed. Repeatable.")  # fmt: skip
@pairs("-i", "--input", form="CHANNEL=SOURCE", example="train=data/train.csv",
       text="Channel and its data: a path or an s3:// URI. Repeatable.")  # fmt: skip
@click.option("--content-type", "content_types", multiple=True, metavar="[CHANNEL=]TYPE",
              help="Content type of a channel, or of all. Repeatable.")  # fmt: skip
@click.option("--output-path", metavar="TARGET", help="Folder or s3:// prefix for results.")
@click.option("--code-location", metavar="TARGET", help="Folder or s3:// prefix for the code.")
@pairs("--metric", form="NAME=REGEX", example="'loss=loss: ([0-9.]+)'",
       text="Metric to be read from the log. Repeatable.")  # fmt: skip
@job_options
def train(**options: Any) -> None:
    """Run a training job in your image, with your data.

    Waits for its end and shows its log; Ctrl-C stops the job. Exits with 13 unless the job
    completes.
    """
    from sagedock.cli.job_parts import content_types
    from sagedock.cli.launching import launch
    from sagedock.local.records import Kind

    if options["source_dir"] and not options["entry_point"]:
        raise click.UsageError("--source-dir needs --entry-point: the script in it to be run.")
    types = content_types(options["content_types"], options["input"])
    launch(Kind.TRAINING, options, lambda session: _prepare(session, options, types))


def _prepare(
    session: Session, options: dict[str, Any], types: dict[str, str]
) -> tuple[Request, list[Upload]]:
    from sagedock.cli.job_parts import named
    from sagedock.launch.estimator import Estimator, TrainingInput

    same = ("role", "instance_type", "instance_count", "entry_point", "source_dir", "output_path",
            "code_location", "base_job_name", "environment")  # fmt: skip
    limit = {"max_run": options["max_run"]} if options["max_run"] else {}
    estimator = Estimator(
        options["image"],
        sagemaker_session=session,
        hyperparameters=options["hyperparameter"],
        metric_definitions=named(options["metric"], "Name", "Regex"),
        tags=named(options["tag"], "Key", "Value"),
        enable_network_isolation=options["network_isolation"],
        **{name: options[name] for name in same},
        **limit,
    )
    channels = {
        name: TrainingInput(source, content_type=types.get(name))
        for name, source in options["input"].items()
    }
    return estimator.prepare(channels, options["job_name"])
