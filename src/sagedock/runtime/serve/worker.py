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
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from sagedock.errors import SagedockError
from sagedock.runtime.serve import discovery
from sagedock.runtime.serve.metrics import Counters
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
        print(f"sagedock: error: {error}", file=sys.stderr, flush=True)
    except Exception as error:
        traceback.print_exc()
        print(f"sagedock: error: the model could not be loaded: {error!r}", file=sys.stderr)
    return CANT_START


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
    service = BuiltinService(prepared, slot, pool) if isinstance(prepared, Builtin) else prepared
    codes = [0]

    def recycle() -> None:
        # Its one thread is taken: whoever connects now had better meet a sibling.
        codes[0] = RECYCLE
        server.should_exit = True
        for one in server.servers:
            one.close()

    app = App(service, settings, counters, slot, on_timeout=recycle)
    server = http_server(app)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _stop, server)
    watcher = asyncio.ensure_future(_watch(place.line, server))
    await server._serve([place.listener])
    watcher.cancel()
    return codes[0]


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


def _stop(server: Any) -> None:
    server.should_exit = True


async def _watch(line: socket.socket, server: Any) -> None:
    """A master that is killed leaves no workers behind."""
    line.setblocking(False)
    while await asyncio.get_running_loop().sock_recv(line, 1):
        pass
    _stop(server)


def leave(code: int) -> None:
    """Ends the process without waiting for threads that user code may have left."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
