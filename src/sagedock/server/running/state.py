"""What is known of a running server: a file of its data folder, for its owner only."""

from __future__ import annotations

import contextlib
import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from sagedock.errors import OutputError
from sagedock.local.process import Owner
from sagedock.server.running.private import making, write_private

FILE = "server.json"
FOLDER = "server"
"""Below the data folder: the server's own files."""

_CREDENTIALS = "credentials.json"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """The access key that programs are given."""

    access_key: str
    secret_key: str


@dataclass(frozen=True, kw_only=True)
class State:
    """A server: its process, where it listens, and what programs need to use it.

    `addresses` are those besides loopback, `wide` whether every request has to be signed.
    """

    pid: int
    started: str
    port: int
    proxy_port: int
    access_key: str
    secret_key: str
    region: str
    account: str
    addresses: tuple[str, ...] = ()
    wide: bool = False
    offline: bool = False

    @property
    def owner(self) -> Owner:
        """Its process."""
        return Owner(pid=self.pid, started=self.started)

    @property
    def endpoint(self) -> str:
        """Its URL on this machine."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def proxy(self) -> str:
        """The proxy's URL."""
        return f"http://127.0.0.1:{self.proxy_port}"

    def write(self, data: Path) -> None:
        """Let it be known. Raises OutputError."""
        try:
            write_private(data / FILE, json.dumps(asdict(self), indent=2).encode())
        except OSError as error:
            raise OutputError(f"{data / FILE} can't be written: {error.strerror}.") from error

    @staticmethod
    def remove(data: Path) -> None:
        """Let it be forgotten."""
        with contextlib.suppress(OSError):
            (data / FILE).unlink()


def running(data: Path) -> State | None:
    """The server that runs on `data`; None for none, also where a file is left of one that has
    been killed."""
    try:
        document = json.loads((data / FILE).read_bytes())
        addresses = tuple(document.pop("addresses"))
        found = State(addresses=addresses, **document)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return found if found.owner.is_alive() else None


def credentials_of(data: Path) -> Credentials:
    """The data folder's own access key, random, made at its first use. Raises OutputError."""
    folder = data / FOLDER
    try:
        return _kept(folder) or _made(folder)
    except OSError as error:
        raise OutputError(f"{folder} can't be written: {error.strerror}.") from error


def _kept(folder: Path) -> Credentials | None:
    with contextlib.suppress(OSError, ValueError, TypeError):
        return Credentials(**json.loads((folder / _CREDENTIALS).read_bytes()))
    return None


def _made(folder: Path) -> Credentials:
    with making(folder):
        made = _kept(folder) or Credentials(
            access_key="AKIA" + "".join(secrets.choice(_LETTERS) for _ in range(16)),
            secret_key=secrets.token_urlsafe(30),
        )
        write_private(folder / _CREDENTIALS, json.dumps(asdict(made)).encode())
    return made
