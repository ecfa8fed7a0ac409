"""The ASGI application: /ping, /invocations, /execution-parameters, /metrics; nothing else.

It runs on the worker's event loop, where nothing may take long: single rows are predicted in
microseconds right here, everything else goes to the worker's one thread. Must not know processes.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from sagedock.runtime.serve.answers import Answer
from sagedock.runtime.serve.batching import Done, Joiner
from sagedock.runtime.serve.builtin import Builtin
from sagedock.runtime.serve.metrics import Counters, Slot
from sagedock.runtime.serve.problems import Refusal, failure
from sagedock.runtime.serve.settings import MEGABYTE, Settings

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_JSON = b"application/json"
ATTRIBUTES = b"x-amzn-sagemaker-custom-attributes"


class Service(Protocol):
    """What answers an invocation, on the application's event loop."""

    async def answer(self, body: bytes, headers: dict[bytes, bytes]) -> Answer: ...


class BuiltinService:
    """A model without code: single rows on the loop, the rest in one thread."""

    def __init__(
        self, builtin: Builtin, slot: Slot, pool: ThreadPoolExecutor, *, limit: int
    ) -> None:
        self._builtin = builtin
        self._joiner = Joiner(builtin.many, slot) if builtin.inline else None
        self._pool = pool
        self._loop = asyncio.get_running_loop()
        self.limit = limit or _LARGE
        self.accepts = builtin.agreed

    def submit(self, body: bytes, content_type: str, accept: str, done: Done) -> None:
        """A plain request of a lane; `accept` is what `accepts` told."""
        if self._joiner is not None and len(body) < MEGABYTE:
            row = self._builtin.single(body, content_type)
            if row is not None:
                self._joiner.add(row, accept, done)
                return
        self._run(body, content_type, accept).add_done_callback(lambda found: _tell(found, done))

    async def answer(self, body: bytes, headers: dict[bytes, bytes]) -> Answer:
        content_type = headers.get(b"content-type", b"").decode("latin-1")
        accept = headers.get(b"accept", b"").decode("latin-1")
        if self._joiner is not None and len(body) < MEGABYTE:
            row = self._builtin.single(body, content_type)
            if row is not None:
                chosen = self._builtin.accepted(accept)
                return Answer(content_type=chosen, body=await self._joiner.answer(row, chosen))
        return await self._run(body, content_type, accept)

    def _run(self, body: bytes, content_type: str, accept: str) -> asyncio.Future[Answer]:
        return self._loop.run_in_executor(
            self._pool, self._builtin.answer, body, content_type, accept
        )


_LARGE = 64 * MEGABYTE
"""Without a limit: what is longer isn't gathered by a lane."""


def _tell(found: asyncio.Future[Answer], done: Done) -> None:
    if found.cancelled():
        return  # the worker ends
    error = found.exception()
    if isinstance(error, Exception):
        done(error)
    elif error is not None:
        raise error
    else:
        done(found.result().body)


class App:
    """ASGI. `on_timeout` is called when a request has outlived SAGEMAKER_MODEL_SERVER_TIMEOUT:
    its thread can't be stopped, so the worker has to go."""

    def __init__(
        self,
        service: Service,
        settings: Settings,
        counters: Counters,
        slot: Slot,
        *,
        on_timeout: Callable[[], None] = lambda: None,
    ) -> None:
        self._service = service
        self._settings = settings
        self._counters = counters
        self._slot = slot
        self._on_timeout = on_timeout
        self._limit = settings.max_payload
        self._routes: dict[str, Callable[[], tuple[bytes, bytes]]] = {
            "/ping": lambda: (b"", b"text/plain"),
            "/execution-parameters": self._parameters,
            "/metrics": lambda: (
                counters.text().encode(), b"text/plain; version=0.0.4; charset=utf-8"
            ),
        }  # fmt: skip

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"{scope['type']} is not served")
        path = scope["path"]
        if path == "/invocations":
            await self._invocation(scope, receive, send)
        elif path in self._routes:
            await self._small(scope, send)
        else:
            await refuse(send, Refusal(404, f"There is nothing at {path}."))

    async def _small(self, scope: Scope, send: Send) -> None:
        """J8: /ping by POST as well."""
        if scope["method"] not in ("GET", "HEAD", "POST"):
            await refuse(send, Refusal(405, f"{scope['path']} takes GET."))
            return
        body, content_type = self._routes[scope["path"]]()
        await respond(send, 200, content_type, body)

    def _parameters(self) -> tuple[bytes, bytes]:
        return parameters(self._settings), _JSON

    async def _invocation(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = time.perf_counter()
        status = 500
        try:
            headers = dict(scope["headers"])
            body = await self._body(scope["method"], headers, receive)
            answer = await self._timed(body, headers)
            status = answer.status
            await deliver(send, answer)
        except Refusal as refusal:
            status = refusal.status
            await refuse(send, refusal)
        except ConnectionError:
            status = 499  # the caller has gone: nobody is there to be told
        except Exception as error:
            await refuse(send, failure(error))
        finally:
            self._slot.answered(status, time.perf_counter() - start)

    async def _timed(self, body: bytes, headers: dict[bytes, bytes]) -> Answer:
        seconds = self._settings.timeout
        if not seconds:
            return await self._service.answer(body, headers)
        try:
            return await asyncio.wait_for(self._service.answer(body, headers), seconds)
        except TimeoutError:
            self._on_timeout()
            raise Refusal(
                504, f"The model took longer than {seconds:g} s (SAGEMAKER_MODEL_SERVER_TIMEOUT)."
            ) from None

    async def _body(self, method: str, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        """The whole body. Raises Refusal 413, by the announced length or while it comes (E5)."""
        if method != "POST":
            raise Refusal(405, "/invocations takes POST.")
        announced = headers.get(b"content-length", b"")
        if announced.isdigit():
            self._check_size(int(announced))
        message = await receive()
        body: bytes = message.get("body", b"")
        if message.get("more_body"):
            body = await self._parts(body, receive)
        elif message["type"] == "http.disconnect":
            raise ConnectionResetError
        self._check_size(len(body))
        return body

    async def _parts(self, first: bytes, receive: Receive) -> bytes:
        parts, size = [first], len(first)
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ConnectionResetError
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            self._check_size(size)
            if not message.get("more_body"):
                return b"".join(parts)

    def _check_size(self, size: int) -> None:
        if self._limit and size > self._limit:
            raise Refusal(
                413,
                f"The body has {size} bytes or more; the limit is {self._limit} "
                "(SAGEMAKER_MAX_PAYLOAD_IN_MB, 0 for none).",
                limit=self._limit,
            )


def parameters(settings: Settings) -> bytes:
    """E3, E4, H5.9: names and spelling of the service."""
    document = {
        "MaxConcurrentTransforms": settings.concurrency,
        "BatchStrategy": settings.batch_strategy,
        "MaxPayloadInMB": settings.max_payload // MEGABYTE,
    }
    return json.dumps(document).encode()


async def deliver(send: Send, answer: Answer) -> None:
    """An answer, whole or as a stream (D3.14)."""
    content_type = answer.content_type.encode("latin-1")
    if answer.stream is None:
        await respond(send, answer.status, content_type, answer.body, answer.headers)
        return
    # The first part comes before the status: a generator that raises at once is a clean 500.
    stream = aiter(answer.stream)
    first = await anext(stream, b"")
    await send({
        "type": "http.response.start",
        "status": answer.status,
        "headers": [(b"content-type", content_type), *answer.headers],
    })  # fmt: skip
    await send({"type": "http.response.body", "body": first, "more_body": True})
    try:
        async for part in stream:
            await send({"type": "http.response.body", "body": part, "more_body": True})
    except Exception as error:
        failure(error)
        raise StreamBrokenError from error
    await send({"type": "http.response.body", "body": b""})


class StreamBrokenError(ConnectionError):
    """A stream that failed after its status had been sent: the connection is cut, so that the
    caller doesn't take the parts for the whole."""


async def respond(
    send: Send,
    status: int,
    content_type: bytes,
    body: bytes,
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> None:
    await send({
        "type": "http.response.start",
        "status": status,
        "headers": [
            (b"content-type", content_type),
            (b"content-length", b"%d" % len(body)),
            *headers,
        ],
    })  # fmt: skip
    await send({"type": "http.response.body", "body": body})


async def refuse(send: Send, refusal: Refusal) -> None:
    await respond(send, refusal.status, _JSON, refusal.body())
