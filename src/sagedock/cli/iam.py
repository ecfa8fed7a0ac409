"""`sagedock iam`: the policies that a project's jobs need on AWS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from sagedock.cli.options import with_options

if TYPE_CHECKING:
    from sagedock.project.config import Config
    from sagedock.project.iam import Needs

_KINDS = ("training", "processing", "transform", "endpoint")

_FORM = (
    click.option(
        "--for", "whose", type=click.Choice(["all", "trust", "role", "caller", "repository"]),
        default="all", show_default=True,
        help="trust: who may take the role; role: what jobs may do; caller: who launches them; "
        "repository: what another account's repositories have to say.",
    ),
    click.option(
        "--format", "form", type=click.Choice(["json", "cloudformation", "terraform"]),
        default="json", show_default=True,
    ),
)  # fmt: skip
_PLACE = (
    click.option("--account", metavar="ID", help="The account's 12 digits."),
    click.option("--region", envvar="AWS_REGION", metavar="NAME"),
    click.option("--role-name", metavar="NAME_OR_ARN", help="Of the jobs' role.  [default: the "
                 "configured role, or SageMakerJobRole]"),
    click.option("--kind", "kinds", multiple=True, type=click.Choice(_KINDS),
                 help="Kind of job. Repeatable.  [default: those in the configuration, or all]"),
)  # fmt: skip
_THINGS = (
    click.option("--repository", "repositories", multiple=True, metavar="NAME",
                 help="Repository in ECR that images come from; HOST/NAME for another account's. "
                 "Repeatable.  [default: the configured images]"),
    click.option("--pull-through", multiple=True, metavar="PREFIX",
                 help="Prefix of repositories that ECR fills from elsewhere. Repeatable."),
    click.option("--bucket", metavar="NAME", help="Where uploads and results go by default."),
    click.option("--input", "inputs", multiple=True, metavar="URI",
                 help="s3:// prefix that is read. Repeatable."),
    click.option("--output", "outputs", multiple=True, metavar="URI",
                 help="s3:// prefix that is written. Repeatable."),
    click.option("--kms-key", "kms_keys", multiple=True, metavar="ARN", help="Repeatable."),
    click.option("--vpc", is_flag=True, help="Jobs run in a VPC."),
    click.option("--subnet", "subnets", multiple=True, metavar="ID",
                 help="Of the VPC. Repeatable.  [default: any]"),
    click.option("--security-group", "security_groups", multiple=True, metavar="ID",
                 help="Of the VPC. Repeatable.  [default: any]"),
    click.option("--experiments", is_flag=True, help="Jobs belong to experiments."),
    click.option("--mlflow", multiple=True, metavar="ARN",
                 help="Tracking server that runs are written to. Repeatable."),
)  # fmt: skip


@click.command()
@with_options(*_FORM, *_PLACE, *_THINGS)
def iam(whose: str, form: str, role_name: str | None, **options: Any) -> None:
    """Print the least policies that this project's jobs need.

    What the project's configuration says (images, bucket, role, job kinds, addresses in S3) is
    taken from there; each option replaces it.

    \b
    sagedock iam --for role --account 123456789012 --region eu-west-1 \\
        --repository churn --input s3://data/churn --output s3://models/churn
    """
    from sagedock.cli.configuration import current
    from sagedock.cli.printing import as_text
    from sagedock.project import iam_forms

    config = current().config
    needs = _needs(config, options)
    name = role_name or config.role or iam_forms.ROLE_NAME
    if form != "json" and whose != "all":
        raise click.UsageError("--for is for --format json: the other forms hold all of it.")
    if form == "cloudformation":
        click.echo(as_text(iam_forms.cloudformation(needs, name)))
    elif form == "terraform":
        click.echo(as_text(iam_forms.terraform(needs, name)))
    else:
        found = iam_forms.documents(needs, name)
        if whose not in {"all", *found}:
            raise click.UsageError("--for repository: no repository is another account's.")
        click.echo(as_text(found if whose == "all" else found[whose]))


def _needs(config: Config, options: Mapping[str, Any]) -> Needs:
    from sagedock.errors import UsageError
    from sagedock.project.iam import Needs
    from sagedock.project.iam_needs import configured

    for name, key in (("account", "account"), ("region", "region")):
        if not options[name]:
            raise UsageError(
                f"There is no {name} to make ARNs of.",
                hint=f"Say --{name}, or write `{key}` into sagedock.toml.",
            )
    given = {name: value for name, value in options.items() if value}
    needs = Needs(**configured(config) | given)
    return _with_bucket(needs) if "inputs" not in given and "outputs" not in given else needs


def _with_bucket(needs: Needs) -> Needs:
    """Where no prefixes are named, all goes to the bucket: the configured one, or the one that
    jobs begin with, which has the SDKs' name."""
    from dataclasses import replace

    named = needs.inputs or needs.outputs
    bucket = needs.bucket or ("" if named else f"sagemaker-{needs.region}-{needs.account}")
    if not bucket:
        return needs
    whole = f"s3://{bucket}/"
    return replace(
        needs,
        bucket=bucket,
        inputs=tuple(dict.fromkeys((*needs.inputs, whole))),
        outputs=tuple(dict.fromkeys((*needs.outputs, whole))),
    )
