"""When an SDK asks how a job is, the answer waits for the job's end, for a while.

SDKs look seldom. v2 sleeps 5 s (of processing and transform jobs 10 s) before its first look; what
it finds running then it looks at again after 30 s, and 10 s more pass once it has seen the end. v3
looks at once, then every 5 s. Told of an end when it comes, a job of eight seconds costs v2 eight
instead of forty-five. Nobody else waits: other clients get the answer of the moment.
"""

from __future__ import annotations

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
_SDK = re.compile(r"AWS-SageMaker-Python-SDK[#/](\d+)\.")
_LOOK_SECONDS = 0.02
_of_thread = threading.local()


def asking() -> Manner:
    """The manner of the client whose request this thread answers."""
    found: Manner = getattr(_of_thread, "manner", Manner())
    return found


def manner_of(agent: str) -> Manner:
    """By a client's User-Agent."""
    match = _SDK.search(agent)
    return _MANNERS.get(match.group(1), Manner()) if match else Manner()


class PatientService(RpcService):
    """An RpcService whose Describe operations of jobs wait for SDKs."""

    def __init__(
        self,
        name: str,
        operations: Mapping[str, Operation],
        *,
        translate: Callable[[SagedockError, OperationModel], ServiceError],
    ) -> None:
        waiting = {}
        for kind in Kind:
            describe = f"Describe{kind.capitalize()}Job"
            status = f"{kind.capitalize()}JobStatus"
            waiting[describe] = partial(_described, operations[describe], status)
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
    while found and found[status] == "InProgress" and time.monotonic() < end:
        time.sleep(_LOOK_SECONDS)
        found = describe(params)
    return found


def _age(found: Mapping[str, Any]) -> float:
    seconds: float = (datetime.now(UTC) - found["CreationTime"]).total_seconds()
    return seconds
