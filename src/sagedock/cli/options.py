"""Options that several commands have, and how `NAME=VALUE` is read.

Must not know what the values are for.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from sagedock.cli.templates import REQUEST, TEMPLATE
from sagedock.cli.tracking import TRACKING

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def pairs(*names: str, form: str, example: str, text: str) -> Decorator:
    """A repeatable `NAME=VALUE` option, handed over as a dict: cut at the first `=`, values as
    typed. A name given twice is refused: one of its values would be lost."""

    def read(ctx: click.Context, param: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
        found: dict[str, str] = {}
        for item in given:
            name, equals, value = item.partition("=")
            if not (name and equals):
                words = f"{item!r}: expected {form}, for example {example}"
                raise click.BadParameter(words, ctx, param)
            if name in found:
                raise click.BadParameter(f"{name!r} is given more than once.", ctx, param)
            found[name] = value
        return {**_beneath(ctx, param), **found}

    return click.option(*names, multiple=True, metavar=form, callback=read, help=text)


def _beneath(ctx: click.Context, param: click.Parameter) -> dict[str, str]:
    """The configuration's pairs: of one name the command line's counts, of others both do."""
    known = ctx.lookup_default(param.name or "") or ()
    return {name: value for name, _, value in (item.partition("=") for item in known)}


JSON = click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")


def _keep_data(ctx: click.Context, param: click.Parameter, value: Path | None) -> None:
    if value is not None:
        ctx.obj = value.expanduser().absolute()


DATA = click.option(
    "--data", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", expose_value=False,
    callback=_keep_data, help="Folder of objects, jobs and logs, as before the command.",
)  # fmt: skip

MOTO = click.option(
    "--moto", is_flag=True, help="Let moto answer for AWS's other services (extra `moto`)."
)

KIND = click.option(
    "--kind",
    type=click.Choice(["training", "processing", "transform"]),
    help="Only jobs of this kind.",
)

AWS_OPTIONS = (
    click.option("--aws", "aws", is_flag=True, help="In your AWS account, not on this machine."),
    click.option("--profile", metavar="NAME", help="With --aws: a profile of the AWS CLI's."),
    click.option("--region", envvar="AWS_REGION", metavar="NAME",
                 help="With --aws: the region.  [default: the profile's own]"),
)  # fmt: skip

BUCKET = click.option(
    "--bucket", metavar="NAME",
    help="With --aws: for inputs, code and results.  [default: sagemaker-REGION-ACCOUNT]",
)  # fmt: skip

_EXPERIMENT = (
    click.option("--experiment", metavar="NAME", help="Experiment that the job belongs to."),
    click.option("--trial", metavar="NAME", help="Its trial."),
    click.option("--run-name", metavar="NAME", help="Its run."),
    click.option("--display-name", metavar="NAME", help="The job's name in the experiment."),
)
_KEYS = (
    click.option("--output-kms-key", metavar="KEY", help="Encrypts results, on AWS."),
    click.option("--volume-kms-key", metavar="KEY", help="Encrypts the hosts' volumes, on AWS."),
)
NETWORK = (
    click.option("--subnet", "subnets", multiple=True, metavar="ID",
                 help="Subnet of your VPC, on AWS. Repeatable."),
    click.option("--security-group", "security_groups", multiple=True, metavar="ID",
                 help="Security group in it. Repeatable."),
    click.option("--encrypt-traffic", is_flag=True, help="Encrypt what goes between hosts."),
)  # fmt: skip

_NAMED = (
    click.option("--name", "--job-name", "job_name", metavar="NAME",
                 help="Name of the job.  [default: from the image and the time]"),
    click.option("--base-job-name", metavar="BASE", help="Job name up to the time in it."),
    click.option("--role", metavar="NAME_OR_ARN", help="Role that the job has."),
    click.option("--instance-type", metavar="TYPE", help="Such as ml.m5.xlarge, or local."),
    click.option("--instance-count", type=click.IntRange(min=1), default=1, show_default=True,
                 help="Number of hosts."),
)  # fmt: skip
_MAX_RUN = click.option("--max-run", type=click.IntRange(min=1), metavar="SECONDS",
                        help="Stop the job after that time.")  # fmt: skip
_MARKED = (
    pairs("-e", "--environment", "--env", "environment", form="NAME=VALUE", example="LEVEL=debug",
          text="Variable in the container. Repeatable."),
    pairs("--tag", form="NAME=VALUE", example="team=churn", text="Tag of the job. Repeatable."),
)  # fmt: skip
_ISOLATION = click.option("--network-isolation", is_flag=True,
                          help="No network in the container.")  # fmt: skip
_MANNER = (
    click.option("-d", "--detach", is_flag=True,
                 help="Print the job's name and return; the job runs by itself."),
    click.option("-q", "--quiet", is_flag=True, help="Do not show the job's log."),
    click.option("--dry-run", is_flag=True,
                 help="Print the request as JSON and start nothing."),
    REQUEST,
    click.option("--json", "as_json", is_flag=True,
                 help="Print the job's description as JSON when it ends; the log goes to stderr."),
)  # fmt: skip


def job_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What training and processing jobs have in common, and how a job is launched."""
    many = (*_NAMED, _MAX_RUN, *_MARKED, _ISOLATION, *NETWORK, *_KEYS, *_EXPERIMENT, *TRACKING)
    return with_options(TEMPLATE, *many, *_MANNER, *AWS_OPTIONS, BUCKET)(function)


TRANSFORM = (TEMPLATE, *_NAMED, *_MARKED, *_KEYS, *_EXPERIMENT, *TRACKING, *_MANNER,
             *AWS_OPTIONS, BUCKET)  # fmt: skip
"""The same of transform jobs, which have no limit of time; isolation is the model's."""


def with_options(*options: Decorator) -> Decorator:
    """All of them, in this order in the help."""

    def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return decorated
