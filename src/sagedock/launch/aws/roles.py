"""Which role a job has: an ARN, a name that IAM knows, or the caller's own where it is one that
SageMaker may take. Nothing is made up: without a role there is an error."""

from __future__ import annotations

import re
from typing import Any

from sagedock.aws.account import Account
from sagedock.aws.calls import Calls, code_of
from sagedock.errors import AwsError, UsageError

_ASSUMED = re.compile(
    r"arn:(?P<partition>[^:]+):sts::(?P<account>\d{12}):assumed-role/(?P<name>[^/]+)/"
)
_STUDIO = "AmazonSageMaker-ExecutionRole"
"""What the console names the roles that it makes; they lie in the path /service-role/."""
_SERVICE = "sagemaker"
_HINT = (
    "Say the role of the job: --role NAME_OR_ARN, role= in Python, or role in the configuration. "
    "`sagedock iam` prints what it needs."
)


def role_arn(account: Account, role: str | None) -> str:
    """ARN of the role `role` (an ARN or a name), or of the caller's own. Raises UsageError where
    there is none, AwsError where IAM does not tell."""
    if role and role.startswith("arn:"):
        return role
    return _named(account, role) if role else _own(account)


def _named(account: Account, name: str) -> str:
    try:
        return str(Calls(account.client("iam")).get_role(RoleName=name)["Role"]["Arn"])
    except AwsError as error:
        if code_of(error) == "NoSuchEntity":
            raise UsageError(
                f"IAM knows no role {name!r} in account {account.number}.", hint=_HINT
            ) from error
        raise AwsError(
            f"The role {name!r} can't be looked up: {error.message}",
            hint="Give its whole ARN: that needs no permission of IAM's.",
        ) from error


def _own(account: Account) -> str:
    """The caller's role, as notebooks and jobs on AWS have one."""
    arn = account.identity["Arn"]
    found = _ASSUMED.match(arn)
    if not found:
        raise UsageError(f"No role is given, and the caller, {arn}, is none.", hint=_HINT)
    name = found["name"]
    try:
        role = Calls(account.client("iam")).get_role(RoleName=name)["Role"]
    except AwsError as error:
        if name.startswith(_STUDIO):  # made by the console, for SageMaker and in that path
            return f"arn:{found['partition']}:iam::{found['account']}:role/service-role/{name}"
        raise UsageError(
            f"No role is given, and whether SageMaker may take the caller's own ({name}) can't be "
            f"found out: {error.message}",
            hint=_HINT,
        ) from error
    if not _trusts(role):
        raise UsageError(
            f"No role is given, and the caller's own, {role['Arn']}, does not let SageMaker take "
            "it (its trust policy does not name sagemaker.amazonaws.com).",
            hint=_HINT,
        )
    return str(role["Arn"])


def _trusts(role: dict[str, Any]) -> bool:
    """Whether a statement of the trust policy allows SageMaker."""
    statements = role.get("AssumeRolePolicyDocument", {}).get("Statement", ())
    for statement in [statements] if isinstance(statements, dict) else statements:
        services = statement.get("Principal", {})
        services = services.get("Service", ()) if isinstance(services, dict) else ()
        names = [services] if isinstance(services, str) else services
        if statement.get("Effect") == "Allow" and any(
            name.partition(".")[0] == _SERVICE for name in names
        ):
            return True
    return False
