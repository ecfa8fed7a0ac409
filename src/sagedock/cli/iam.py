"""`sagedock iam`: the policies that a project's jobs need on AWS."""

from __future__ import annotations

import click

_KINDS = ("training", "processing", "transform", "endpoint")


@click.command()
@click.option(
    "--for", "whose", type=click.Choice(["all", "trust", "role", "caller"]), default="all",
    show_default=True,
    help="trust: who may take the role; role: what jobs may do; caller: who launches them.",
)  # fmt: skip
@click.option(
    "--format", "form", type=click.Choice(["json", "cloudformation", "terraform"]),
    default="json", show_default=True,
)  # fmt: skip
@click.option("--account", required=True, metavar="ID", help="The account's 12 digits.")
@click.option("--region", required=True, envvar="AWS_REGION", metavar="NAME")
@click.option(
    "--repository", "repositories", multiple=True, required=True, metavar="NAME",
    help="Repository in ECR that images come from. Repeatable.",
)  # fmt: skip
@click.option(
    "--input", "inputs", multiple=True, metavar="URI", help="s3:// prefix that is read. Repeatable."
)
@click.option(
    "--output", "outputs", multiple=True, metavar="URI",
    help="s3:// prefix that is written. Repeatable.",
)  # fmt: skip
@click.option(
    "--kind", "kinds", multiple=True, type=click.Choice(_KINDS), default=_KINDS,
    show_default=True, help="Kind of job. Repeatable.",
)  # fmt: skip
@click.option("--kms-key", "kms_keys", multiple=True, metavar="ARN", help="Repeatable.")
@click.option("--vpc", is_flag=True, help="Jobs run in a VPC.")
@click.option("--role-name", default="SageMakerJobRole", show_default=True)
def iam(
    whose: str, form: str, account: str, region: str, repositories: tuple[str, ...],
    inputs: tuple[str, ...], outputs: tuple[str, ...], kinds: tuple[str, ...],
    kms_keys: tuple[str, ...], vpc: bool, role_name: str,
) -> None:  # fmt: skip
    """Print the least policies that this project's jobs need.

    \b
    sagedock iam --for role --account 123456789012 --region eu-west-1 \\
        --repository churn --input s3://data/churn --output s3://models/churn
    """
    from sagedock.cli.printing import as_text
    from sagedock.project import iam_forms
    from sagedock.project.iam import Needs

    needs = Needs(
        account=account, region=region, kinds=kinds, inputs=inputs, outputs=outputs,
        repositories=repositories, kms_keys=kms_keys, vpc=vpc,
    )  # fmt: skip
    if form != "json" and whose != "all":
        raise click.UsageError("--for is for --format json: the other forms hold all of it.")
    if form == "cloudformation":
        click.echo(as_text(iam_forms.cloudformation(needs, role_name)))
    elif form == "terraform":
        click.echo(as_text(iam_forms.terraform(needs, role_name)))
    else:
        found = iam_forms.documents(needs, role_name)
        click.echo(as_text(found if whose == "all" else found[whose]))
