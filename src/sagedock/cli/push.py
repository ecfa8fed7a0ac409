"""`sagedock push`: an image to ECR, or to another registry."""

from __future__ import annotations

from typing import Any

import click
from click.core import ParameterSource

from sagedock.cli.options import JSON, with_options

_PLACE = (
    click.option("--repository", metavar="NAME", help="Where it goes.  [default: the image's own "
                 "name]"),
    click.option("--account", "--registry-id", metavar="DIGITS",
                 help="Whose ECR it is.  [default: the caller's]"),
    click.option("--registry", metavar="HOST[:PORT]", help="A registry that is not the caller's "
                 "ECR; docker login's login is used."),
    click.option("--region", envvar="AWS_REGION", metavar="NAME",
                 help="Of ECR.  [default: the URI's, a profile's own]"),
    click.option("--profile", metavar="NAME", help="Of the AWS CLI's configuration."),
)  # fmt: skip
_NEW = (
    click.option("--mutable-tags", is_flag=True, help="Let tags of a new repository be changed."),
    click.option("--no-scan", is_flag=True, help="Do not scan what comes to a new repository."),
    click.option("--encryption", type=click.Choice(["AES256", "KMS", "KMS_DSSE"],
                 case_sensitive=False),
                 help="Of a new repository.  [default: AES256, KMS with --kms-key]"),
    click.option("--kms-key", metavar="ARN", help="Encrypts a new repository."),
)  # fmt: skip
_PRUNE = (
    click.option("--prune", "pruning", is_flag=True, help="Remove old images of the repository "
                 "that no model, endpoint or job uses."),
    click.option("--keep", type=click.IntRange(min=1), default=10, show_default=True, metavar="N",
                 help="How many of the newest --prune leaves."),
    click.option("-y", "--yes", "sure", is_flag=True, help="Remove without asking."),
)  # fmt: skip
_MANNER = (
    click.option("--no-checks", is_flag=True, help="Do not look into the image before."),
    click.option("--pull-through", "through", is_flag=True, help="IMAGE is a URI that a "
                 "pull-through rule of ECR serves: push nothing, ask whether it can be pulled."),
    click.option("--dry-run", "dry", is_flag=True, help="Look and tell; push and remove nothing."),
    click.option("-q", "--quiet", is_flag=True, help="Print the result only."),
    JSON,
)  # fmt: skip


@click.command()
@click.argument("image", required=False)
@click.argument("tag", required=False)
@click.option(
    "--build", "building", is_flag=True,
    help="Build it first: one of the project's images by its name, or a folder with a Dockerfile.",
)  # fmt: skip
@with_options(*_PLACE, *_NEW, *_PRUNE, *_MANNER)
@click.pass_context
def push(ctx: click.Context, /, **options: Any) -> None:
    """Push an image to ECR, so that SageMaker can run it.

    TAG is by default the image's version and commit; or all of the place, HOST/REPOSITORY[:TAG].
    The image is looked into first: can it be started, are there secrets in it. The repository is
    made where it is missing: tags that stay as they are, scans on push, and a rule that lets
    untagged images go. Pushing the same image again is no error, and sends nothing. The
    registry's password stands in no file.

    \b
    On this machine first:   sagedock run -- sagedock push IMAGE
    To another account:      sagedock push IMAGE 123456789012.dkr.ecr.eu-west-1.amazonaws.com/churn
    Only what can go:        sagedock push --prune --repository churn --keep 5 --dry-run
    """
    from sagedock.cli.pushing import Asked, run

    typed = ctx.get_parameter_source("region") is ParameterSource.COMMANDLINE
    run(Asked(**options, region_is_typed=typed))
