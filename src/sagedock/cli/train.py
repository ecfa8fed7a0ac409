"""`sagedock train`: options become a CreateTrainingJob request. Must not know how it is run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sagedock.cli.options import job_options, pairs, with_options

if TYPE_CHECKING:
    from sagedock.launch.place import Place
    from sagedock.launch.upload import Upload
    from sagedock.requests import Request


_CLOUD = with_options(
    click.option("--input-mode", type=click.Choice(["File", "Pipe", "FastFile"]), default="File",
                 show_default=True, help="How channels come; all but File is AWS's."),
    click.option("--volume-size", type=click.IntRange(min=1), default=30, show_default=True,
                 metavar="GB", help="Of each host's volume."),
    click.option("--spot", is_flag=True, help="On spot instances, on AWS."),
    click.option("--max-wait", type=click.IntRange(min=1), metavar="SECONDS",
                 help="Time for waiting for spot instances and running.  [default: --max-run]"),
    click.option("--checkpoints", metavar="URI", help="s3:// prefix of checkpoints, on AWS."),
    click.option("--keep-alive", type=click.IntRange(1, 21600), metavar="SECONDS",
                 help="Keep the instances for a next job, on AWS."),
    click.option("--retries", type=click.IntRange(1, 30), metavar="COUNT",
                 help="Further tries after a fault of the service's, on AWS."),
)  # fmt: skip


@click.command(
    epilog="""\b
Examples:
  sagedock train --image sagedock/training -p objective=binary:logistic -p num_round=100 \\
      -i train=data/train.csv -i validation=data/validation.csv --content-type text/csv
  sagedock train --image sagedock/training --entry-point train.py --source-dir src -p epochs=3
  sagedock train --image ACCOUNT.dkr.ecr.REGION.amazonaws.com/training:1 --aws \\
      --instance-type ml.m5.xlarge --role MyRole -i train=data/train.csv
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
@_CLOUD
@job_options
def train(**options: Any) -> None:
    """Run a training job in your image, with your data.

    Waits for its end and shows its log. Ctrl-C stops a job on this machine; with --aws it asks
    first. Exits with 13 unless the job completes.
    """
    from sagedock.cli.job_parts import content_types
    from sagedock.cli.launching import launch
    from sagedock.local.records import Kind

    if options["source_dir"] and not options["entry_point"]:
        raise click.UsageError("--source-dir needs --entry-point: the script in it to be run.")
    types = content_types(options["content_types"], options["input"])
    launch(Kind.TRAINING, options, lambda session: _prepare(session, options, types))


def _prepare(
    session: Place, options: dict[str, Any], types: dict[str, str]
) -> tuple[Request, list[Upload]]:
    from sagedock.cli.job_parts import experiment, named
    from sagedock.launch.estimator import Estimator, TrainingInput

    same = ("role", "instance_type", "instance_count", "entry_point", "source_dir", "output_path",
            "code_location", "base_job_name", "environment", "input_mode", "volume_size",
            "max_wait", "subnets", "output_kms_key", "volume_kms_key")  # fmt: skip
    limit = {"max_run": options["max_run"]} if options["max_run"] else {}
    estimator = Estimator(
        options["image"],
        sagemaker_session=session,
        hyperparameters=options["hyperparameter"],
        metric_definitions=named(options["metric"], "Name", "Regex"),
        tags=named(options["tag"], "Key", "Value"),
        enable_network_isolation=options["network_isolation"],
        use_spot_instances=options["spot"],
        checkpoint_s3_uri=options["checkpoints"],
        security_group_ids=options["security_groups"],
        encrypt_inter_container_traffic=options["encrypt_traffic"],
        keep_alive_period_in_seconds=options["keep_alive"],
        max_retry_attempts=options["retries"],
        **{name: options[name] for name in same},
        **limit,
    )
    channels = {
        name: TrainingInput(source, content_type=types.get(name))
        for name, source in options["input"].items()
    }
    return estimator.prepare(channels, options["job_name"], experiment(options))
