"""One invocation on its way through the containers of one instance (D3.8 to D3.11, D5.11, D5.13).

Must not know which instance was chosen, nor why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from sagedock.local.hosting.calls import routing
from sagedock.local.hosting.calls.connections import (
    Answer,
    BrokenError,
    Connections,
    LargeError,
    LateError,
    Message,
    ReadAnswer,
    UnreachableError,
)
from sagedock.local.hosting.calls.faults import Faults
from sagedock.local.hosting.calls.multi_model import Leg, TargetModels, with_target
from sagedock.local.hosting.calls.routing import Target
from sagedock.local.hosting.values import Hop, Route
from sagedock.store.disk import DiskStore

HOP_BYTES = 5 << 20
"""D5.11: what may pass between the containers of a pipeline."""

DEFAULT_TYPE = "application/octet-stream"

ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
INFERENCE = "X-Amzn-SageMaker-Inference-Id"


@dataclass(frozen=True, kw_only=True)
class Call:
    """An invocation: `seconds` is what it may take in all, `size` that of a body in a file, and
    `asynchronous` whether it came by InvokeEndpointAsync."""

    endpoint: str
    body: bytes | IO[bytes]
    target: Target
    seconds: float
    deadline: float
    content_type: str | None = None
    accept: str | None = None
    attributes: str | None = None
    inference_id: str | None = None
    size: int | None = None
    asynchronous: bool = False

    def message(self) -> Message:
        """What the first container gets; other headers do not reach it (D3.10)."""
        headers = {
            "Content-Type": self.content_type or DEFAULT_TYPE,
            ATTRIBUTES: self.attributes,
            INFERENCE: self.inference_id,
            "Content-Length": None if self.size is None else str(self.size),
        }
        return Message(
            body=self.body, headers={name: value for name, value in headers.items() if value}
        )


class Courier:
    """Takes calls through containers, on connections that are kept."""

    def __init__(self, connections: Connections, store: Callable[[], DiskStore]) -> None:
        self._connections = connections
        self._models = TargetModels(connections, store)

    def deliver(self, route: Route, call: Call, faults: Faults) -> tuple[str, Answer | ReadAnswer]:
        """The last container's answer, and what the container is called.

        Raises ValidationError where the call's target is not one of the endpoint's, ModelError for
        an answer that says failure and for none at all, UnreachableError where the first container
        could not be connected to: then nothing was sent.
        """
        hops = routing.hops(call.endpoint, route, call.target)
        message = call.message()
        for number, hop in enumerate(hops):
            shown, is_last = routing.shown(route, hop), hop is hops[-1]
            with told(faults, shown, call.seconds, reachable=number > 0):
                answer = self._ask(hop, shown, _accepting(message, call, is_last), call, faults)
                if not 200 <= answer.status < 300:
                    raise faults.answered(shown, answer.whole())
                if is_last:
                    return shown, answer
                message = _passed_on(answer, shown, call, faults)
        raise AssertionError("a route has hops")  # pragma: no cover

    def _ask(
        self, hop: Hop, shown: str, message: Message, call: Call, faults: Faults
    ) -> Answer | ReadAnswer:
        if hop.models and call.target.model:
            leg = Leg(
                hop=hop, shown=shown, target=call.target.model, deadline=call.deadline,
                faults=faults,
            )  # fmt: skip
            return self._models.invoke(leg, with_target(message, call.target.model))
        connection = self._connections.to((hop.host, hop.port))
        return connection.begin("POST", "/invocations", message, call.deadline)


def _accepting(message: Message, call: Call, is_last: bool) -> Message:
    """What the caller accepts is for the last container to know: the others answer for the next."""
    if not (is_last and call.accept):
        return message
    return Message(body=message.body, headers={**message.headers, "Accept": call.accept})


def _passed_on(answer: Answer | ReadAnswer, shown: str, call: Call, faults: Faults) -> Message:
    """One container's answer as the next one's request, its content type too (D5.13)."""
    try:
        said = answer.whole(HOP_BYTES)
    except LargeError:
        raise faults.large(shown, HOP_BYTES, "D5.11") from None
    headers = {
        "Content-Type": said.headers.get("Content-Type", DEFAULT_TYPE),
        **({ATTRIBUTES: call.attributes} if call.attributes else {}),
        **({INFERENCE: call.inference_id} if call.inference_id else {}),
    }
    return Message(body=said.body, headers=headers)


@contextmanager
def told(faults: Faults, shown: str, seconds: float, *, reachable: bool = True) -> Iterator[None]:
    """Turn what a connection raises into ModelErrors; UnreachableError only where the containers
    before have been asked already (`reachable`)."""
    try:
        yield
    except LateError:
        raise faults.late(shown, seconds) from None
    except BrokenError as error:
        raise faults.broken(shown, str(error)) from error
    except UnreachableError as error:
        if not reachable:
            raise
        raise faults.broken(shown, str(error)) from error
