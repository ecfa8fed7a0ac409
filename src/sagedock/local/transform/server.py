"""Speaks to a model's container over HTTP: /ping, /execution-parameters, /invocations."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from sagedock.errors import JobFailedError

PING_SECONDS = 2.0
"""D3.2."""

START_SECONDS = 480.0
"""D3.3."""

_POLL_SECONDS = 0.05
_SHOWN = 300
_FAULTS = (OSError, http.client.HTTPException)


class ModelServer:
    """A container's server at `address`. Each thread keeps a connection of its own open; `close`
    closes all of them."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._mine = threading.local()
        self._open: list[http.client.HTTPConnection] = []

    def wait_until_up(self, alive: Callable[[], bool], seconds: float = START_SECONDS) -> None:
        """Until /ping answers 200. Raises JobFailedError where it doesn't in time, or `alive()`
        says that the container has ended."""
        deadline = time.monotonic() + seconds
        last = "no answer"
        while time.monotonic() < deadline:
            try:
                status, _ = self._once("GET", "/ping", None, {}, PING_SECONDS)
            except _FAULTS as error:
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
            status, body = self._once("GET", "/execution-parameters", None, {}, PING_SECONDS)
            document = json.loads(body) if status == http.client.OK else {}
        except (*_FAULTS, ValueError):
            return {}
        return document if isinstance(document, dict) else {}

    def invoke(
        self,
        body: bytes,
        headers: Mapping[str, str],
        *,
        timeout: float,
        retries: int,
        alive: Callable[[], bool],
    ) -> bytes:
        """POST /invocations; the answer's body. What is the caller's fault (4xx) is not tried
        again. Raises JobFailedError with the container's own words."""
        for tries_left in range(retries, -1, -1):
            try:
                status, answer = self._once("POST", "/invocations", body, headers, timeout)
            except _FAULTS as error:
                problem = f"no answer: {error or type(error).__name__}"
            else:
                if status == http.client.OK:
                    return answer
                text = answer[:_SHOWN].decode("utf-8", "replace")
                problem = f"status {status}: {text}"
                if status < http.client.INTERNAL_SERVER_ERROR:
                    break
            if not tries_left or not alive():
                break
        raise JobFailedError(f"POST /invocations: {problem}")

    def _once(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        timeout: float,
    ) -> tuple[int, bytes]:
        connection = self._connection(timeout)
        try:
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            answer = response.read()
        except BaseException:
            connection.close()
            raise
        return response.status, answer

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        kept: http.client.HTTPConnection | None = getattr(self._mine, "connection", None)
        if kept is None:
            kept = http.client.HTTPConnection(*self._address, timeout=timeout)
            self._mine.connection = kept
            self._open.append(kept)
        if kept.timeout != timeout:
            kept.close()
            kept.timeout = timeout
        return kept

    def close(self) -> None:
        """Let go of all connections; no thread may be using one."""
        for connection in self._open:
            connection.close()
