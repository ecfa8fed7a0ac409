"""The registry that holds the images' bytes: CNCF's distribution, a process of its own on loopback,
started when first asked for. Must not know ECR.

It outlives a server that is killed; the next one finds it by its record and goes on with it.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

from sagedock.errors import UnsupportedError
from sagedock.local.process import Owner
from sagedock.server.http import free_port

PROGRAMS = ("docker-registry", "registry")
"""Debian's name for it, and its own."""

_PATIENCE = 20.0
_LOOK = 0.02
_CONFIG = """\
version: 0.1
log: {{level: warn, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {images}}}
  delete: {{enabled: true}}
  cache: {{blobdescriptor: inmemory}}
http: {{addr: "127.0.0.1:{port}", relativeurls: true}}
"""


class RegistryProgram:
    """The registry of the folder `folder`. `address` starts it where it does not run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._port: int | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where it answers. Raises UnsupportedError where no such program is installed."""
        with self._lock:
            if self._port is None or not self._lives():
                self._port = self._running() or self._start()
            return "127.0.0.1", self._port

    def _lives(self) -> bool:
        return self._process.poll() is None if self._process else self._record() is not None

    def close(self) -> None:
        """End it, whoever has started it."""
        with self._lock:
            if self._process:
                self._process.terminate()
                self._process.wait()
            elif self._port is not None and (known := self._record()):
                _end(known[0])
            self._process = self._port = None

    def has_garbage(self) -> None:
        """Images have been deleted: their layers go before the registry is started next."""
        self._garbage.touch()

    @property
    def _garbage(self) -> Path:
        return self._folder / "garbage"

    @property
    def _state(self) -> Path:
        return self._folder / "registry.json"

    def _record(self) -> tuple[Owner, int] | None:
        """Its process and port, if it lives."""
        try:
            known = json.loads(self._state.read_text())
        except (OSError, ValueError):
            return None
        owner = Owner(pid=known["pid"], started=known["started"])
        return (owner, known["port"]) if owner.is_alive() else None

    def _running(self) -> int | None:
        known = self._record()
        return known[1] if known and _answers(known[1]) else None

    def _start(self) -> int:
        program = next(filter(None, map(shutil.which, PROGRAMS)), None)
        if program is None:
            raise UnsupportedError(
                "There is no registry on this machine to keep images in.",
                hint="Install it: docker/ensure-registry.sh",
            )
        self._folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        config = self._folder / "registry.yml"
        images = json.dumps(str((self._folder / "images").absolute()))
        config.write_text(_CONFIG.format(images=images, port=port))
        with (self._folder / "registry.log").open("ab") as log:
            if self._garbage.exists():
                command = [program, "garbage-collect", str(config)]
                subprocess.run(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False
                )
                self._garbage.unlink()
            self._process = subprocess.Popen(
                [program, "serve", str(config)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env={"PATH": os.defpath, "OTEL_TRACES_EXPORTER": "none"},
            )  # fmt: skip
        self._await(self._process, port)
        owner = Owner.of(self._process.pid)
        self._state.write_text(
            json.dumps({"pid": owner.pid, "started": owner.started, "port": port})
        )
        return port

    def _await(self, process: subprocess.Popen[bytes], port: int) -> None:
        end = time.monotonic() + _PATIENCE
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > end:
                process.kill()
                process.wait()
                raise UnsupportedError(
                    "The registry does not start.",
                    hint=f"See the end of {self._folder / 'registry.log'}.",
                )
            time.sleep(_LOOK)


def _end(owner: Owner) -> None:
    """End a process that may be no child of ours."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(owner.pid, signal.SIGTERM)
        end = time.monotonic() + _PATIENCE
        while owner.is_alive() and time.monotonic() < end:
            time.sleep(_LOOK)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()
