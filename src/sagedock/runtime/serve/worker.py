"""A worker: loads the model, warms up, reports to the master, serves until it is told to stop.

Runs in a process of its own, forked from the master. Must not know its siblings.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from sagedock.errors import SagedockError
from sagedock.runtime.serve import discovery
from sagedock.runtime.serve.accepting import Acceptor, Open
from sagedock.runtime.serve.metrics import Counters, Slot
from sagedock.runtime.serve.settings import Settings

RECYCLE = 75
"""Exit code of a worker that wants a successor: one of its requests never ended."""
CANT_START = 3
READY, GO = b"R", b"G"
DRAIN_SECONDS = 24
"""D1.4: SIGKILL comes 30 s after SIGTERM."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A worker's place: its number, the shared socket, and its line to the master."""

    number: int
    listener: socket.socket
    line: socket.socket


def run(settings: Settings, counters: Counters, place: Place) -> int:
    """Exit code of the worker."""
    try:
        return _serve(settings, counters, place)
    except SagedockError as error:
        _say(f"sagedock: error: {error}\n")
    except Exception as error:
        why = traceback.format_exc()
        _say(f"{why}sagedock: error: the model could not be loaded: {error!r}\n")
    return CANT_START


def _say(text: str) -> None:
    """In one piece: another worker fails for the same reason, and ends in the midst of a line when
    the first one's end is seen."""
    sys.stderr.write(text)
    sys.stderr.flush()


def _serve(settings: Settings, counters: Counters, place: Place) -> int:
    pool = ThreadPoolExecutor(1, thread_name_prefix="predict")
    prepared = _prepare(settings, pool)
    place.line.sendall(READY)
    if place.line.recv(1) != GO:
        return 0  # the master has gone, or another worker could not start
    return _listen(prepared, settings, counters, place, pool)


def _prepare(settings: Settings, pool: ThreadPoolExecutor) -> Any:
    """The loaded and warmed-up model, with or without the user's code."""
    from sagedock.runtime.serve.builtin import Builtin

    path = discovery.program(settings)
    if path is not None:
        from sagedock.runtime.serve.handlers import Handlers

        return Handlers.load(path, settings, pool)
    builtin = Builtin(discovery.load_model(settings.model_dir, settings), settings)
    builtin.warm_up()
    return builtin


def _listen(
    prepared: Any, settings: Settings, counters: Counters, place: Place, pool: ThreadPoolExecutor
) -> int:
    import uvloop

    return int(uvloop.run(_main(prepared, settings, counters, place, pool)))


async def _main(
    prepared: Any, settings: Settings, counters: Counters, place: Place, pool: ThreadPoolExecutor
) -> int:
    from sagedock.runtime.serve.app import App, BuiltinService
    from sagedock.runtime.serve.builtin import Builtin

    slot = counters.slot(place.number)
    service: Any = prepared
    if isinstance(prepared, Builtin):
        service = BuiltinService(prepared, slot, pool, limit=settings.max_payload)
    code = 0

    def stop() -> None:
        server.should_exit = True
        acceptor.close()

    def recycle() -> None:
        # Its one thread is taken: whoever connects now had better meet a sibling.
        nonlocal code
        code = RECYCLE
        stop()

    server = http_server(App(service, settings, counters, slot, on_timeout=recycle))
    server.server_state.connections = connections = Open(slot)
    plain = isinstance(service, BuiltinService) and not settings.timeout
    made = _protocols(server, service if plain else None, slot)
    acceptor = Acceptor(place.listener, made, connections, slot)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    watcher = asyncio.ensure_future(_watch(place.line, stop))
    acceptor.start()
    await server._serve([])
    watcher.cancel()
    return code


def _protocols(server: Any, plain: Any, slot: Slot) -> Callable[[], Any]:
    """What makes a connection's protocol: uvicorn's, or, where the service answers plain requests,
    a lane that falls back on it."""
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

    from sagedock.runtime.serve.lane import Heads, Lane

    server.config.load()
    state, loop = server.server_state, asyncio.get_running_loop()

    def whole() -> Any:
        return HttpToolsProtocol(server.config, state, {}, _loop=loop)

    if plain is None:
        return whole
    heads = Heads(plain)
    return lambda: Lane(heads, plain, slot, state.connections, whole)


def http_server(app: Any) -> Any:
    """uvicorn's server, as a library: its own signals, workers, logs and headers left out."""
    import uvicorn

    config = uvicorn.Config(
        app,
        loop="none",
        http="httptools",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=300,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    return uvicorn.Server(config)


async def _watch(line: socket.socket, stop: Callable[[], None]) -> None:
    """A master that is killed leaves no workers behind."""
    line.setblocking(False)
    while await asyncio.get_running_loop().sock_recv(line, 1):
        pass
    stop()


def leave(code: int) -> None:
    """Ends the process without waiting for threads that user code may have left."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
