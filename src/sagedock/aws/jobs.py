"""Jobs of an account, of all kinds at once: the newest ones, and one by its name.

SageMaker has an API for each kind and none across them. Must not know how they are shown.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sagedock.aws.calls import Calls, code_of
from sagedock.errors import AwsError, ResourceNotFoundError, UsageError

KINDS = ("training", "processing", "transform")
RUNNING = frozenset({"InProgress", "Stopping"})
_PAGE = 100
_CLOSE = 100
"""How many of the newest jobs of a kind are looked through for a name like the one not found."""


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A job as the list operations know it."""

    kind: str
    name: str
    status: str
    arn: str
    created: datetime
    modified: datetime
    ended: datetime | None

    @classmethod
    def of(cls, kind: str, item: Mapping[str, Any]) -> Listed:
        """From an entry of ListTrainingJobs or its siblings."""
        word = f"{kind.capitalize()}Job"
        modified = item.get("LastModifiedTime", item["CreationTime"])
        over = item[f"{word}Status"] not in RUNNING
        return cls(
            kind=kind,
            name=item[f"{word}Name"],
            status=item[f"{word}Status"],
            arn=item[f"{word}Arn"],
            created=item["CreationTime"],
            modified=modified,
            ended=item.get(f"{kind.capitalize()}EndTime", modified) if over else None,
        )


@dataclass(frozen=True, kw_only=True)
class Described:
    """A job with DescribeTrainingJob's answer, or its sibling's."""

    kind: str
    name: str
    document: Mapping[str, Any]

    @property
    def status(self) -> str:
        """TrainingJobStatus, or its sibling."""
        return str(self.document[f"{self.kind.capitalize()}JobStatus"])

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self.status in RUNNING


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Jobs, newest first, and why those of a kind could not be listed: who may see one kind only
    sees jobs of that kind."""

    jobs: list[Listed]
    refused: tuple[AwsError, ...] = ()


def newest(
    calls: Calls, kind: str | None = None, *, status: str | None = None, last: int | None = None
) -> Listing:
    """The `last` jobs, or all. Raises AwsError, also where the caller may see no kind."""
    found: list[Listed] = []
    refused: list[AwsError] = []
    kinds = [kind] if kind else list(KINDS)
    for one in kinds:
        try:
            found += _newest(calls, one, status, last)
        except AwsError as error:
            if "Denied" not in code_of(error):
                raise
            refused.append(error)
    if len(refused) == len(kinds):
        raise refused[0]
    found.sort(key=lambda job: (job.created, job.name), reverse=True)
    return Listing(jobs=found[:last], refused=tuple(refused))


def _newest(calls: Calls, kind: str, status: str | None, last: int | None) -> list[Listed]:
    items = calls.pages(
        f"list_{kind}_jobs",
        f"{kind.capitalize()}JobSummaries",
        SortBy="CreationTime",
        SortOrder="Descending",
        PaginationConfig={"PageSize": min(last or _PAGE, _PAGE), "MaxItems": last},
        **({"StatusEquals": status} if status else {}),
    )
    return [Listed.of(kind, item) for item in items]


def describe(calls: Calls, kind: str, name: str) -> Described:
    """A job by kind and name. Raises ResourceNotFoundError, AwsError."""
    operation = getattr(calls, f"describe_{kind}_job")
    document = operation(**{f"{kind.capitalize()}JobName": name})
    document.pop("ResponseMetadata", None)
    return Described(kind=kind, name=name, document=document)


def find(calls: Calls, name: str, kind: str | None, *, where: str) -> Described:
    """The job of that name. `where` is what is said of the account.

    Raises ResourceNotFoundError with names like it, UsageError where jobs of two kinds have it,
    AwsError, also where none was found and one of the kinds may not be looked at.
    """
    found, refused = _of_all(calls, name, [kind] if kind else list(KINDS))
    if len(found) > 1:
        raise UsageError(
            f"A {found[0].kind} job and a {found[1].kind} job are both named {name!r}.",
            hint=f"Say which one: --kind {found[0].kind}, or --kind {found[1].kind}.",
        )
    if found:
        return found[0]
    if refused:
        raise refused
    raise ResourceNotFoundError(
        f"No {kind + ' ' if kind else ''}job is named {name!r} {where}.",
        hint=f"{did_you_mean(name, _names(calls, kind))}See all of them: sagedock jobs --aws",
    )


def _of_all(calls: Calls, name: str, kinds: list[str]) -> tuple[list[Described], AwsError | None]:
    """The jobs of that name, and why a kind could not be looked at: who may read one kind only
    finds jobs of that kind."""
    found, refused = [], None
    for kind in kinds:
        try:
            found.append(describe(calls, kind, name))
        except ResourceNotFoundError:
            continue
        except AwsError as error:
            if "Denied" not in code_of(error):
                raise
            refused = refused or error
    return found, refused


def _names(calls: Calls, kind: str | None) -> list[str]:
    return [job.name for job in newest(calls, kind, last=_CLOSE).jobs]


def did_you_mean(name: str, known: list[str]) -> str:
    """`Did you mean a or b? `, from the names most like `name`; empty where none is."""
    close = difflib.get_close_matches(name, dict.fromkeys(known), n=3)
    return f"Did you mean {' or '.join(close)}? " if close else ""
