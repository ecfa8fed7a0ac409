"""Looks from within a container: one is started, says what it may do and calls back.

Needs an image of ours, since only there is Python sure to be.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sagedock.engine.docker import Engine
from sagedock.engine.plan import ContainerPlan
from sagedock.project.doctor.facts import Probe

HOST = "host.docker.internal"
_SECONDS = 5
_PROGRAM = """
import re, socket, sys
print(re.search(r"CapBnd:\\s*(\\w+)", open("/proc/self/status").read())[1], flush=True)
with socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[3])) as there:
    there.sendall(sys.argv[4].encode())
"""


def look(engine: Engine, images: Sequence[str]) -> Probe:
    """Start a container of the first of `images` that is there. Raises EngineError."""
    image = next((name for name in images if engine.image(name)), None)
    if image is None:
        return Probe(image=None)
    with _listening(engine.bridge_address()) as door:
        lines = _run(engine, image, [HOST, str(door.port), str(_SECONDS), door.word])
        bits = next((line for line in lines if len(line) == 16), None)
        return Probe(
            image=image,
            capabilities=int(bits, 16) if bits else None,
            reached=door.called.wait(1),
            address=f"{HOST} ({door.address})",
        )


def _run(engine: Engine, image: str, arguments: list[str]) -> list[str]:
    container = engine.create(
        ContainerPlan(
            name=f"sagedock-doctor-{os.getpid()}-{secrets.token_hex(4)}",
            image=image,
            entrypoint=["python3", "-c", _PROGRAM],
            command=arguments,
            extra_hosts={HOST: "host-gateway"},
            labels={"sagedock.doctor": "1"},
            user="root",
        )
    )
    try:
        container.start()
        return [line.text for line in container.follow()]
    finally:
        container.remove()


@dataclass(frozen=True, kw_only=True)
class _Door:
    """Where the container is to call, and whether it has."""

    address: str
    port: int
    word: str
    called: threading.Event = field(default_factory=threading.Event)


@contextlib.contextmanager
def _listening(bridge: str | None) -> Iterator[_Door]:
    """At the bridge's address; at loopback where the bridge is in another machine, whose engine
    brings connections there (Docker Desktop)."""
    server = _server(bridge)
    address, port = server.getsockname()[:2]
    door = _Door(address=address, port=port, word=secrets.token_hex(16))
    thread = threading.Thread(target=_accept, args=(server, door), daemon=True)
    thread.start()
    try:
        yield door
    finally:
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


def _server(bridge: str | None) -> socket.socket:
    if bridge:
        with contextlib.suppress(OSError):
            return socket.create_server((bridge, 0))
    return socket.create_server(("127.0.0.1", 0))


def _accept(server: socket.socket, door: _Door) -> None:
    """Whoever else calls does not know the word."""
    with contextlib.suppress(OSError):
        while not door.called.is_set():
            caller, _ = server.accept()
            with caller:
                caller.settimeout(_SECONDS)
                data = b""
                while len(data) < len(door.word) and (block := caller.recv(64)):
                    data += block
                if data == door.word.encode():
                    door.called.set()
