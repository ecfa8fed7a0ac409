"""When somebody who looks seldom asks how a job is, the answer waits for its end, for a while.

Waiters of boto3 and the AWS CLI look every 30 to 120 s, and want nothing but the end. SDK v2
sleeps 5 s (of processing and transform jobs 10 s) before its first look; what it finds running then
it looks at again after 30 s, and 10 s more pass once it has seen the end. v3 looks at once, then
every 5 s. Told of an end when it comes, a job of eight seconds costs v2 eight instead of
forty-five. Nobody else waits: other calls get the answer of the moment.
"""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from sagedock.errors import SagedockError
from sagedock.local.records import Kind
from sagedock.server.messages import Request, Response
from sagedock.server.protocols.shapes import Params
from sagedock.server.services.rpc import Operation, RpcService, ServiceError

if TYPE_CHECKING:
    from botocore.model import OperationModel


@dataclass(frozen=True)
class Manner:
    """How a client waits: seconds that its first look may take, the oldest job that it can be the
    first look at, and whether it sleeps before it."""

    patience: float = 0.0
    oldest: float = 0.0
    sleeps_first: bool = False


_MANNERS = {
    "2": Manner(patience=9.0, oldest=14.0, sleeps_first=True),
    "3": Manner(patience=4.5, oldest=4.0),
}
_WAITER = Manner(patience=25.0, oldest=math.inf)
_SDK = re.compile(r"AWS-SageMaker-Python-SDK[#/](\d+)\.")
_WAITS = re.compile(r"(?:^| )m/(?:[^ ]+,)?B(?:[, ]|$)")
"""botocore names in User-Agent the features that a call goes through; B are waiters."""

_CHANGING = frozenset({"InProgress", "Creating", "Updating", "Deleting"})
_LOOK_SECONDS = 0.02
_of_thread = threading.local()


def asking() -> Manner:
    """The manner of the client whose request this thread answers."""
    found: Manner = getattr(_of_thread, "manner", Manner())
    return found


def manner_of(agent: str) -> Manner:
    """By a client's User-Agent."""
    if _WAITS.search(agent):
        return _WAITER
    match = _SDK.search(agent)
    return _MANNERS.get(match.group(1), Manner()) if match else Manner()


class PatientService(RpcService):
    """An RpcService whose Describe operations of jobs and endpoints wait."""

    def __init__(
        self,
        name: str,
        operations: Mapping[str, Operation],
        *,
        translate: Callable[[SagedockError, OperationModel], ServiceError],
    ) -> None:
        things = (*(f"{kind.capitalize()}Job" for kind in Kind), "Endpoint")
        waiting = {
            f"Describe{thing}": partial(
                _described, operations[f"Describe{thing}"], f"{thing}Status"
            )
            for thing in things
        }
        super().__init__(name, {**operations, **waiting}, translate=translate)

    def __call__(self, request: Request) -> Response:
        _of_thread.manner = manner_of(request.headers.get("User-Agent", ""))
        return super().__call__(request)


def _described(describe: Operation, status: str, params: Params) -> Mapping[str, Any] | None:
    manner = asking()
    end = time.monotonic() + manner.patience
    found = describe(params)
    if found and _age(found) > manner.oldest:
        return found
    while found and found[status] in _CHANGING and time.monotonic() < end:
        time.sleep(_LOOK_SECONDS)
        found = describe(params)
    return found


def _age(found: Mapping[str, Any]) -> float:
    seconds: float = (datetime.now(UTC) - found["CreationTime"]).total_seconds()
    return seconds
