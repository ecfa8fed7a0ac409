"""Endpoints of an account: all of them, described, newest first."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sagedock.aws.calls import Calls
from sagedock.aws.jobs import did_you_mean
from sagedock.errors import ResourceNotFoundError

_THREADS = 8
_PAGE = 100


def names(calls: Calls) -> list[str]:
    """Newest first. Raises AwsError."""
    found = calls.pages(
        "list_endpoints",
        "Endpoints",
        SortBy="CreationTime",
        SortOrder="Descending",
        PaginationConfig={"PageSize": _PAGE},
    )
    return [item["EndpointName"] for item in found]


def described(calls: Calls) -> list[Mapping[str, Any]]:
    """DescribeEndpoint's answers; one that is deleted meanwhile is left out. Raises AwsError."""
    with ThreadPoolExecutor(_THREADS) as pool:
        answers = pool.map(lambda name: described_or_none(calls, name), names(calls))
        return [answer for answer in answers if answer is not None]


def described_or_none(calls: Calls, name: str) -> Mapping[str, Any] | None:
    """DescribeEndpoint's answer; None where there is no such endpoint. Raises AwsError."""
    try:
        answer: dict[str, Any] = calls.describe_endpoint(EndpointName=name)
    except ResourceNotFoundError:
        return None
    answer.pop("ResponseMetadata", None)
    return answer


def not_found(calls: Calls, name: str, where: str) -> ResourceNotFoundError:
    """The error for an endpoint that is not there, with names like its own."""
    return ResourceNotFoundError(
        f"No endpoint is named {name!r} {where}.",
        hint=f"{did_you_mean(name, names(calls))}See all of them: sagedock endpoints --aws",
    )
