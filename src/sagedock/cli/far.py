"""What commands that read an account of AWS have in common: its clients, and how it is named.

Must not know what is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sagedock.cli.aws import account_of

if TYPE_CHECKING:
    from sagedock.aws.account import Account
    from sagedock.aws.calls import Calls
    from sagedock.aws.jobs import Described
    from sagedock.aws.s3 import Storage


class Far:
    """The account that a command's options (profile, region) name. Raises UsageError without
    boto3, without a region, for an unknown profile."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.account: Account = account_of(options)

    @property
    def where(self) -> str:
        """For messages: without asking who the caller is, which may not be allowed."""
        return f"in {self.account.region} on AWS"

    @cached_property
    def sagemaker(self) -> Calls:
        """SageMaker's operations; their errors are ours."""
        return self.calls("sagemaker")

    @cached_property
    def storage(self) -> Storage:
        """S3."""
        from sagedock.aws.s3 import Storage

        return Storage(self.account)

    def calls(self, service: str) -> Calls:
        """A service's operations."""
        from sagedock.aws.calls import Calls

        return Calls(self.account.client(service))

    def job(self, name: str, kind: str | None) -> Described:
        """The job of that name. Raises ResourceNotFoundError with names like it, UsageError where
        jobs of two kinds have it, AwsError."""
        from sagedock.aws.jobs import find

        return find(self.sagemaker, name, kind, where=self.where)
