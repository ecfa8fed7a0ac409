"""Asking AWS to find out what is wrong: an error is an answer, too, and nobody is asked for long.

Must not know what the answers are for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from sagedock.aws.account import Account
from sagedock.aws.calls import configured

CONNECT_SECONDS, READ_SECONDS = 5, 15


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came of a call: its document, or the service's code and words. `seconds_ahead` is how
    far the service's clock is ahead of ours, None where it hasn't said."""

    document: dict[str, Any] | None = None
    code: str = ""
    message: str = ""
    seconds_ahead: float | None = None

    @property
    def is_denied(self) -> bool:
        """Whether the caller lacks a permission for the call."""
        return "Denied" in self.code or self.code in {"UnauthorizedOperation", "403"}

    @property
    def is_missing(self) -> bool:
        """Whether there is no such thing."""
        return self.code in {"404", "NoSuchEntity", "NoSuchBucket", "RepositoryNotFoundException"}

    @property
    def words(self) -> str:
        """Code and message in one line, for people."""
        return " ".join(f"{self.code}: {self.message}".split()) if self.message else self.code


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """Where credentials come from, in botocore's word, and until when they hold, where known."""

    method: str
    expires: datetime | None = None


def client(account: Account, service: str) -> Any:
    """A client that gives up soon and tries once more at most."""
    retries = {"total_max_attempts": 2, "mode": "standard"}
    return configured(
        account, service, connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS,
        retries=retries,
    )  # fmt: skip


def ask(call: Callable[[], dict[str, Any]]) -> Answer:
    """What the call answers, whatever it is."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        document = call()
    except ClientError as error:
        said = error.response.get("Error", {})
        return Answer(
            code=str(said.get("Code", "error")),
            message=str(said.get("Message", "")),
            seconds_ahead=_ahead(dict(error.response)),
        )
    except BotoCoreError as error:
        return Answer(code=type(error).__name__, message=str(error))
    return Answer(document=document, seconds_ahead=_ahead(document))


def credentials(account: Account) -> Credentials | None:
    """The credentials that calls would be signed with, None where there are none."""
    from botocore.exceptions import BotoCoreError

    try:
        found = account.boto_session.get_credentials()
        if found is None:
            return None
        found.get_frozen_credentials()  # fetched now, where they are fetched at all
    except BotoCoreError:
        return None
    return Credentials(method=found.method, expires=getattr(found, "_expiry_time", None))


def _ahead(document: dict[str, Any]) -> float | None:
    headers = (document.get("ResponseMetadata") or {}).get("HTTPHeaders") or {}
    try:
        there = parsedate_to_datetime(headers.get("date", ""))
    except (TypeError, ValueError):
        return None
    return (there - datetime.now(UTC)).total_seconds() if there.tzinfo else None
