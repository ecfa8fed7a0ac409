"""Waits for endpoints on AWS: their status as it changes, why one failed, and its log's end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from sagedock.aws.calls import may_pass
from sagedock.aws.logs import LogReader
from sagedock.errors import AwsError, JobFailedError, ResourceNotFoundError, SagedockError

if TYPE_CHECKING:
    from sagedock.launch.aws.session import AwsSession
    from sagedock.launch.aws.watching import Pace

_ON_THE_WAY = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack"})
_IN_SERVICE = "InService"
_TAIL = 20


def log_group(name: str) -> str:
    """The log group of an endpoint."""
    return f"/aws/sagemaker/Endpoints/{name}"


def wait_until_in_service(session: AwsSession, name: str, pace: Pace) -> None:
    """Until an endpoint is InService. Raises JobFailedError with its FailureReason."""
    told, pause = "", pace.first
    while True:
        found = _looked_at(session, name)
        status = found.get("EndpointStatus", told)
        if status != told:
            session.note(f"Endpoint {name}: {status}")
            told = status
        if status and status not in _ON_THE_WAY:
            break
        session.doing(f"Endpoint {name}: {status}")
        time.sleep(pause)
        pause = min(pause * 1.2, pace.most)
    if status == _IN_SERVICE and not found.get("FailureReason"):
        return
    for line in _tail(session, name):
        session.note(line)
    kept = status == _IN_SERVICE  # an update that was rolled back
    raise JobFailedError(
        f"Endpoint {name} is {status}: {found.get('FailureReason', 'no reason is given.')}",
        hint="It serves what it served before."
        if kept
        else "Delete it when you have seen enough: "
        f"sagedock delete-endpoint {name} --aws --region {session.region}",
    )


def wait_until_gone(session: AwsSession, name: str, pace: Pace) -> None:
    """Until an endpoint that is being deleted is gone."""
    while True:
        try:
            _looked_at(session, name)
        except ResourceNotFoundError:
            return
        time.sleep(pace.first)


def _looked_at(session: AwsSession, name: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = session.sagemaker_client.describe_endpoint(EndpointName=name)
    except AwsError as error:
        if not may_pass(error):
            raise
        return {}
    return found


def _tail(session: AwsSession, name: str) -> list[str]:
    """The last lines of an endpoint's log; none where it can't be read."""
    try:
        events = LogReader(session.account.client("logs"), log_group(name), "").read()
    except SagedockError as error:
        return [f"Its log can't be read: {error.message}"]
    return [event.text for event in events[-_TAIL:]]
