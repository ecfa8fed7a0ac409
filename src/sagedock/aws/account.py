"""The caller's account: credentials as the AWS CLI finds them, clients, and errors in our words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from threading import Lock
from typing import Any

from sagedock.errors import AwsError, UsageError

_CREDENTIALS_HINT = (
    "Set credentials as for the AWS CLI (AWS_PROFILE, aws sso login …), or try it on this machine "
    "first: sagedock run -- <the same command>"
)
_NETWORK_HINT = (
    "Is the network there? A proxy is taken from HTTPS_PROXY, its certificates from AWS_CA_BUNDLE."
)
_THROTTLED = frozenset(
    {"Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded",
     "SlowDown"}
)  # fmt: skip
EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})


class Account:
    """An account of AWS in one region. Raises UsageError where boto3, a region or the profile is
    missing; what is asked later raises AwsError with the service's own words."""

    def __init__(self, region: str | None = None, profile: str | None = None) -> None:
        try:
            import boto3
        except ImportError:
            raise UsageError(
                "Asking AWS needs boto3.", hint="pip install 'sagedock[aws]'"
            ) from None
        from botocore.exceptions import ProfileNotFound

        try:
            self.boto_session = boto3.Session(region_name=region, profile_name=profile)
        except ProfileNotFound as error:
            raise UsageError(
                f"{error}.", hint="Profiles: aws configure list-profiles; or leave --profile out."
            ) from error
        if not self.boto_session.region_name:
            raise UsageError(
                "No region is known.", hint="Say --region, or set AWS_REGION or a profile's region."
            )
        self.region: str = self.boto_session.region_name
        self._clients: dict[str, Any] = {}
        self._lock = Lock()

    @property
    def partition(self) -> str:
        """`aws`, `aws-cn`, `aws-us-gov` …: what ARNs of this region begin with."""
        found: str = self.boto_session.get_partition_for_region(self.region)
        return found

    @property
    def domain(self) -> str:
        """What hosts of this partition end in: amazonaws.com, or amazonaws.com.cn."""
        from botocore.loaders import create_loader

        known = create_loader().load_data("partitions")["partitions"]
        suffixes = {item["id"]: item["outputs"]["dnsSuffix"] for item in known}
        return str(suffixes[self.partition])

    @cached_property
    def identity(self) -> dict[str, str]:
        """GetCallerIdentity's answer: Account, Arn, UserId. Raises AwsError."""
        with told("Who you are"):
            found = self.client("sts").get_caller_identity()
        return {name: found[name] for name in ("Account", "Arn", "UserId")}

    @property
    def number(self) -> str:
        """The account's 12 digits. Raises AwsError."""
        return self.identity["Account"]

    def client(self, service: str) -> Any:
        """boto3's client of a service; one for all threads."""
        with self._lock:  # a session makes one client at a time
            if service not in self._clients:
                self._clients[service] = self.boto_session.client(service)
            return self._clients[service]


@contextmanager
def told(what: str, hint: str = "") -> Iterator[None]:
    """botocore's errors as AwsError: `what`, the service's code and words, and what to do. `hint`
    is for a caller who lacks a permission."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        said = error.response.get("Error", {})
        code, message = said.get("Code", "error"), said.get("Message", str(error))
        raise AwsError(f"{what}: {code}: {message}", hint=_hint(code, hint)) from error
    except BotoCoreError as error:
        raise AwsError(f"{what}: {error}", hint=_unheard(error)) from error


def _unheard(error: Exception) -> str:
    """What to do where no service has answered."""
    from botocore.exceptions import ConnectionError as NotReachedError
    from botocore.exceptions import HTTPClientError, ParamValidationError

    if isinstance(error, HTTPClientError | NotReachedError):
        return _NETWORK_HINT
    return "" if isinstance(error, ParamValidationError) else _CREDENTIALS_HINT


def _hint(code: str, permission: str) -> str:
    if code in EXPIRED:
        return "The credentials are too old: get new ones (aws sso login, or a new session token)."
    if code in _THROTTLED:
        return "AWS asks for patience: try again in a moment, or set AWS_RETRY_MODE=adaptive."
    if code in _DENIED or "Denied" in code:
        return permission or "The caller lacks a permission: `sagedock iam` prints what is needed."
    return ""
