"""`--aws`: the options of commands that can go to the caller's account, and what they open.

Without `--aws` a command stays on this machine, whatever else is set.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from sagedock.cli.context import open_session as open_local
from sagedock.cli.options import AWS_OPTIONS, with_options

if TYPE_CHECKING:
    from sagedock.aws.account import Account
    from sagedock.launch.place import Place
    from sagedock.local.execution import Listener

AWS = with_options(*AWS_OPTIONS)
"""`--aws`, `--profile`, `--region`: parameters `aws`, `profile`, `region` of a command."""


def account_of(options: Mapping[str, Any]) -> Account:
    """The account that `options` (profile, region) name. Raises UsageError without boto3, without
    a region, for an unknown profile."""
    from sagedock.aws.account import Account

    return Account(options["region"], options["profile"])


@contextmanager
def open_session(
    data: Path | None, listener: Listener | None = None, aws: Mapping[str, Any] | None = None
) -> Iterator[Place]:
    """A launching session: on the account that the options `aws` name where they say --aws
    (`bucket` and `role` count where they are among them), else on `data`."""
    if not aws or not is_aws(aws):
        with open_local(data, listener) as session:
            yield session
        return
    from sagedock.cli.interrupts import hushed
    from sagedock.launch.aws.session import AwsSession

    account = account_of(aws)
    bucket, role = aws.get("bucket"), aws.get("role")
    with closing(AwsSession(account, default_bucket=bucket, role=role, listener=listener)) as far:
        far.storage.ending = hushed
        yield far


def is_aws(options: Mapping[str, Any]) -> bool:
    """Whether to go to AWS. Raises UsageError where options of `--aws` stand without it."""
    context = click.get_current_context()
    if options["aws"]:
        return True
    for name in ("profile", "region", "bucket"):
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            context.fail(f"--{name} needs --aws: without it the command stays on this machine.")
    return False
