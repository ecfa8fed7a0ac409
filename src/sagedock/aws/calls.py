"""A client of boto3's whose errors are ours: by the service's code, in the service's words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from sagedock.aws.account import EXPIRED, Account, told
from sagedock.errors import (
    AwsError,
    ResourceInUseError,
    ResourceNotFoundError,
    SagedockError,
    ValidationError,
)

_ABSENT = re.compile(r"not found|could not find|does not exist|cannot find", re.IGNORECASE)
_CLASSES: dict[str, type[SagedockError]] = {
    "ResourceInUse": ResourceInUseError,
    "ResourceInUseException": ResourceInUseError,
    "ResourceNotFound": ResourceNotFoundError,
    "ResourceNotFoundException": ResourceNotFoundError,
    "ValidationException": ValidationError,
    "ValidationError": ValidationError,  # sagemaker-runtime's word for it
}
_QUOTA = frozenset({"ResourceLimitExceeded", "ServiceQuotaExceededException"})
_PASSING = frozenset({
    "ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded",
    "ServiceUnavailable", "ServiceUnavailableException", "InternalFailure", "InternalServerError",
    "InternalError", "RequestTimeout", "SlowDown", "500", "502", "503", "504",
})  # fmt: skip
_QUOTA_HINT = "Ask for a higher quota: console, Service Quotas, Amazon SageMaker."


class Calls:
    """`client`'s operations, by the same names; a function makes the client when it is needed (some
    models take a tenth of a second to read). Raises ResourceNotFoundError, ResourceInUseError,
    ValidationError where that is what the service says, AwsError else."""

    def __init__(self, client: Any | Callable[[], Any]) -> None:
        self._given = client

    @cached_property
    def _client(self) -> Any:
        return self._given() if callable(self._given) else self._given

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._client, name)
        word = self._client.meta.method_to_api_mapping.get(name, name)

        def call(**request: Any) -> Any:
            with translated(word):
                return operation(**request)

        return call

    def pages(self, name: str, member: str, **request: Any) -> Iterator[Any]:
        """Every item of `member` of a paginated operation's answers."""
        word = self._client.meta.method_to_api_mapping.get(name, name)
        with translated(word):
            for page in self._client.get_paginator(name).paginate(**request):
                yield from page.get(member, ())


def configured(account: Account, service: str, **config: Any) -> Any:
    """A client of its own, with botocore's Config of these settings."""
    from botocore.config import Config

    return account.boto_session.client(service, config=Config(**config))


@contextmanager
def translated(word: str) -> Iterator[None]:
    """botocore's errors as ours, by the service's code; `word` is what was asked."""
    try:
        with told(word):
            yield
    except AwsError as error:
        raise of_code(error) from error.__cause__


def code_of(error: AwsError) -> str:
    """The service's own code of an error; empty where nobody answered."""
    response = getattr(error.__cause__, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def may_pass(error: SagedockError) -> bool:
    """Whether it is worth asking again: throttling, a fault of the service's, a connection that
    broke. Credentials that are missing or too old are none of these."""
    from botocore.exceptions import ConnectionError as NotReachedError
    from botocore.exceptions import HTTPClientError

    if not isinstance(error, AwsError):
        return False
    broken = isinstance(error.__cause__, HTTPClientError | NotReachedError)
    return broken or code_of(error) in _PASSING


def is_expired(error: SagedockError) -> bool:
    """Whether the caller's credentials are too old."""
    return isinstance(error, AwsError) and code_of(error) in EXPIRED


def of_code(error: AwsError) -> SagedockError:
    """The class of ours that says what the service has said."""
    code = code_of(error)
    made = _CLASSES.get(code)
    if code in _QUOTA:
        return AwsError(error.message, hint=_QUOTA_HINT)
    if made is ValidationError and _ABSENT.search(error.message):
        made = ResourceNotFoundError
    return made(error.message, hint=error.hint) if made else error
