"""Speaks to a model's container over HTTP: /ping, /execution-parameters, /invocations.

Bodies go from the input's file to the socket by the kernel alone. Must not know what is in them.
"""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Any

from sagedock.errors import JobFailedError
from sagedock.local.transform.bodies import Body, Stream
from sagedock.local.transform.wire import FAULTS, Wire

PING_SECONDS = 2.0
"""D3.2."""

START_SECONDS = 480.0
"""D3.3."""

_POLL_SECONDS = 0.05
_SHOWN = 300
_LATER = frozenset({http.client.REQUEST_TIMEOUT, http.client.TOO_MANY_REQUESTS})
"""What of 4xx says that the same request may do later."""

Answer = bytes | IO[bytes]
"""A body; one to a body without a limit as a file, at its beginning."""


@dataclass(frozen=True, kw_only=True)
class Pauses:
    """Seconds between tries: `first`, then twice as many each time, `longest` at most."""

    first: float = 0.5
    longest: float = 10.0

    def before(self, tried: int) -> float:
        """The pause after `tried` tries, a quarter more or less, so that what failed at once does
        not come again at once."""
        pause = min(self.first * 2.0 ** (tried - 1), self.longest)
        return pause * random.uniform(0.75, 1.25)


class ModelServer:
    """A container's server at `address`. Each thread keeps a connection of its own open; `close`
    closes all of them."""

    def __init__(self, address: tuple[str, int], pauses: Pauses | None = None) -> None:
        self._address = address
        self._pauses = pauses or Pauses()
        self._mine = threading.local()
        self._open: list[Wire] = []

    def wait_until_up(self, alive: Callable[[], bool], seconds: float = START_SECONDS) -> None:
        """Until /ping answers 200. Raises JobFailedError where it doesn't in time, or `alive()`
        says that the container has ended."""
        deadline = time.monotonic() + seconds
        last = "no answer"
        while time.monotonic() < deadline:
            try:
                status, _ = self._wire().get("/ping", PING_SECONDS)
            except FAULTS as error:
                last = str(error) or type(error).__name__
            else:
                if status == http.client.OK:
                    return
                last = f"status {status}"
            if not alive():
                raise JobFailedError(
                    "AlgorithmError: the model's container ended before GET /ping answered "
                    "200 (D3.3). Its log says why."
                )
            time.sleep(_POLL_SECONDS)
        raise JobFailedError(
            f"AlgorithmError: GET /ping did not answer 200 within "
            f"{seconds:.0f} s of the container's start (D3.3): {last}."
        )

    def execution_parameters(self) -> Mapping[str, Any]:
        """What the container advises (E3): nothing unless it answers 200 with a JSON object."""
        try:
            status, body = self._wire().get("/execution-parameters", PING_SECONDS)
            document = json.loads(body) if status == http.client.OK else {}
        except (*FAULTS, ValueError):
            return {}
        return document if isinstance(document, dict) else {}

    def invoke(
        self,
        body: Body,
        headers: Mapping[str, str],
        *,
        timeout: float,
        retries: int,
        alive: Callable[[], bool],
    ) -> Answer:
        """POST /invocations; the answer. What is the caller's fault (4xx) is not tried again, all
        else after a pause (E11). Raises JobFailedError with the container's own words."""
        tried = 0
        while True:
            tried += 1
            problem, again = "", True
            try:
                status, answer = self._wire().post(
                    "/invocations", body, headers, timeout, spool=isinstance(body, Stream)
                )
            except TimeoutError:
                problem = f"Unable to get response from algorithm: none within {timeout:g} s"
            except FAULTS as error:
                problem = f"Unable to get response from algorithm: {error or type(error).__name__}"
            else:
                if status == http.client.OK:
                    return answer
                problem, again = _refusal(status, answer)
            if not again or tried > retries or not self._rested(tried, alive):
                raise JobFailedError(problem + (f" (tried {tried} times)" if tried > 1 else ""))

    def _rested(self, tried: int, alive: Callable[[], bool]) -> bool:
        """Pause; whether the container is still there then."""
        if not alive():
            return False
        time.sleep(self._pauses.before(tried))
        return alive()

    def _wire(self) -> Wire:
        kept: Wire | None = getattr(self._mine, "wire", None)
        if kept is None:
            kept = self._mine.wire = Wire(self._address)
            self._open.append(kept)
        return kept

    def close(self) -> None:
        """Let go of all connections; no thread may be using one."""
        for wire in self._open:
            wire.close()


def _refusal(status: int, answer: Answer) -> tuple[str, bool]:
    """What an answer other than 200 says, in the form of the service's log, and whether it may be
    asked for again."""
    if isinstance(answer, bytes):
        shown = answer[:_SHOWN]
    else:
        with answer:
            shown = answer.read(_SHOWN)
    text = shown.decode("utf-8", "replace").strip()
    own = status >= http.client.INTERNAL_SERVER_ERROR
    kind = "AlgorithmError" if own else "ClientError"
    return f"{kind}: {status} Message: {text or 'none'}", own or status in _LATER
