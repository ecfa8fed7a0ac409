"""Multi-model endpoints (D5): each model in a process of its own, so that unloading one gives its
memory back before the answer goes out, and a model that crashes takes no other with it.

This process only routes: /models, /models/{name}, /models/{name}/invoke. A model's process is a
worker like any other, on a socket of the Unix kind. Must not know models.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

from sagedock.runtime.serve import memory, proxy
from sagedock.runtime.serve.app import (
    Receive,
    Scope,
    Send,
    parameters,
    refuse,
    respond,
)
from sagedock.runtime.serve.problems import Refusal, failure
from sagedock.runtime.serve.settings import Settings
from sagedock.runtime.serve.worker import GO, READY, http_server

_JSON = b"application/json"
_PAGE = 100
_NO_MEMORY = 507


def serve(settings: Settings, listener: socket.socket) -> int:
    """Exit code of the container."""
    import uvloop

    return int(uvloop.run(_main(settings, listener)))


async def _main(settings: Settings, listener: socket.socket) -> int:
    models = Models(settings)
    server = http_server(MultiModelApp(models, settings))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: setattr(server, "should_exit", True))
    print(f"sagedock: models can be loaded on port {settings.port}", flush=True)
    await server._serve([listener])
    await models.close()
    return 0


@dataclass(kw_only=True)
class Loaded:
    """One model's process. `url` is what the platform called it; files may vanish (D5.9)."""

    name: str
    url: str
    process: asyncio.subprocess.Process
    address: str


class Models:
    """The loaded models by name. Names are opaque (D5.8)."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loaded: dict[str, Loaded] = {}
        self._loading: set[str] = set()
        self._folder = tempfile.mkdtemp(prefix="sagedock-models-")
        self._count = 0

    async def load(self, name: str, url: str) -> None:
        """D5.3. Raises Refusal 409 when loaded, 507 without memory, 4xx/500 when it can't load."""
        if name in self._loading or self._alive(name) is not None:
            raise Refusal(409, f"Model {name} is already loaded.")
        if not Path(url).is_dir():
            raise Refusal(404, f"Model {name} has no folder {url}.")
        self._loading.add(name)
        try:
            memory.check_room(url)
            self._loaded[name] = await self._start(name, url)
        finally:
            self._loading.discard(name)

    def get(self, name: str) -> Loaded:
        """Raises Refusal 404."""
        found = self._alive(name)
        if found is None:
            raise Refusal(404, f"Model {name} is not loaded.")
        return found

    def _alive(self, name: str) -> Loaded | None:
        """A model whose process has died is not loaded: the platform loads it again."""
        found = self._loaded.get(name)
        if found is not None and found.process.returncode is not None:
            del self._loaded[name]
            return None
        return found

    def listing(self) -> list[Loaded]:
        return [found for name in sorted(self._loaded) if (found := self._alive(name))]

    async def unload(self, name: str) -> None:
        """D5.6: returns when the process, and with it all memory, is gone. Requests in flight are
        answered first."""
        found = self.get(name)
        del self._loaded[name]
        await _end(found)

    async def close(self) -> None:
        await asyncio.gather(*(_end(found) for found in self._loaded.values()))

    async def _start(self, name: str, url: str) -> Loaded:
        self._count += 1
        address = f"{self._folder}/{self._count}"
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        ours, theirs = socket.socketpair()
        with listener, theirs:
            listener.bind(address)
            listener.listen(1024)  # who asks before the model's server is up waits for it
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "sagedock.runtime.serve.model_process",
                str(listener.fileno()), str(theirs.fileno()), url,
                pass_fds=(listener.fileno(), theirs.fileno()),
                stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
        last = await _ready(process, ours)
        if last is not None:
            raise _load_failure(name, process.returncode or 0, last)
        return Loaded(name=name, url=url, process=process, address=address)


_lines: set[Any] = set()
"""The sockets and log readers of running models: kept, or the garbage collector ends them."""


async def _ready(process: asyncio.subprocess.Process, line: socket.socket) -> str | None:
    """None once the model serves; the last words of a process that ended instead."""
    words: list[str] = []
    reader = asyncio.ensure_future(_pass_on(process, words))
    line.setblocking(False)
    loop = asyncio.get_running_loop()
    if await loop.sock_recv(line, 1) == READY:
        await loop.sock_sendall(line, GO)
        kept = (line, reader)
        _lines.add(kept)
        reader.add_done_callback(lambda _: _lines.discard(kept))
        return None
    line.close()
    await process.wait()
    await reader
    return "\n".join(words)


async def _pass_on(process: asyncio.subprocess.Process, words: list[str]) -> None:
    """The model's stderr to the container's log; the end of it is kept for an answer."""
    if process.stderr is None:
        return
    async for line in process.stderr:
        text = line.decode("utf-8", "replace")
        sys.stderr.write(text)
        sys.stderr.flush()
        words.append(text.rstrip())
        del words[:-8]


def _load_failure(name: str, code: int, words: str) -> Refusal:
    if code == -signal.SIGKILL or "MemoryError" in words:
        return Refusal(_NO_MEMORY, f"Not enough memory to load model {name}.")
    found = [line for line in words.splitlines() if "sagedock: error:" in line]
    said = found[-1].partition("error: ")[2] if found else f"exit code {code}"
    return Refusal(500, f"Model {name} can't be loaded: {said}")


async def _end(found: Loaded) -> None:
    with contextlib.suppress(ProcessLookupError):
        found.process.terminate()
    await found.process.wait()
    with contextlib.suppress(OSError):
        os.unlink(found.address)  # noqa: PTH108


class MultiModelApp:
    """ASGI: the routes of D5.3 to D5.7, and /ping, which is 200 with nothing loaded (D5.2)."""

    def __init__(self, models: Models, settings: Settings) -> None:
        self._models = models
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._route(scope, receive, send)
        except Refusal as refusal:
            await refuse(send, refusal)
        except ConnectionError:
            raise
        except Exception as error:
            await refuse(send, failure(error))

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, path = scope["method"], scope["path"]
        # A name is opaque (D5.8): cut where the caller did, before %2F becomes a slash.
        parts = [unquote(part) for part in scope["raw_path"].decode("latin-1").split("/")[1:]]
        if path == "/ping":
            await respond(send, 200, b"text/plain", b"")
        elif path == "/execution-parameters" and method == "GET":
            await respond(send, 200, _JSON, parameters(self._settings))
        elif path == "/metrics":
            text = f"# TYPE sagedock_models gauge\nsagedock_models {len(self._models.listing())}\n"
            await respond(send, 200, b"text/plain; version=0.0.4", text.encode())
        elif parts == ["models"] and method == "POST":
            await self._load(await whole(receive), send)
        elif parts == ["models"] and method == "GET":
            await _send_json(send, page(self._models.listing(), scope.get("query_string", b"")))
        elif len(parts) == 2 and parts[0] == "models" and method in ("GET", "DELETE"):
            await self._one(method, parts[1], send)
        elif len(parts) == 3 and parts[::2] == ["models", "invoke"] and method == "POST":
            await proxy.forward(self._models.get(parts[1]).address, scope, receive, send)
        else:
            raise Refusal(404, f"There is nothing at {method} {path}.")

    async def _load(self, body: bytes, send: Send) -> None:
        try:
            document = json.loads(body)
            name, url = str(document["model_name"]), str(document["url"])
        except (ValueError, TypeError, KeyError):
            raise Refusal(400, "The body must be JSON with model_name and url.") from None
        await self._models.load(name, url)
        await _send_json(send, {"modelName": name, "modelUrl": url})

    async def _one(self, method: str, name: str, send: Send) -> None:
        found = self._models.get(name)
        if method == "DELETE":
            await self._models.unload(name)
        await _send_json(send, described(found))


def described(found: Loaded) -> dict[str, str]:
    return {"modelName": found.name, "modelUrl": found.url}


def page(models: list[Loaded], query: bytes) -> dict[str, Any]:
    """D5.4: at most 100 at once, with a token for the rest."""
    token = parse_qs(query.decode("latin-1")).get("next_page_token", ["0"])[0]
    start = int(token) if token.isascii() and token.isdigit() else 0
    document: dict[str, Any] = {"models": [described(m) for m in models[start : start + _PAGE]]}
    if len(models) > start + _PAGE:
        document["nextPageToken"] = str(start + _PAGE)
    return document


async def whole(receive: Receive) -> bytes:
    body: bytes = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def _send_json(send: Send, document: Any) -> None:
    await respond(send, 200, _JSON, json.dumps(document).encode())


def settings_of(settings: Settings, url: str) -> Settings:
    """The settings of one model's process: its folder, and its own code/ in it."""
    return replace(settings, model_dir=url, code_dir=f"{url}/code", multi_model=False, workers=1)
