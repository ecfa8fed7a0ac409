"""ECR and its registry on this machine, put together: the service, and the address that images are
pushed to.
"""

from __future__ import annotations

import secrets
import threading
from typing import Any

from sagedock.local.settings import LocalSettings
from sagedock.server.guard import Guard
from sagedock.server.http import Listener
from sagedock.server.registry.front import RegistryService
from sagedock.server.registry.program import RegistryProgram
from sagedock.server.registry.store import ImageStore
from sagedock.server.registry.tokens import USER, Tokens
from sagedock.server.services import ecr
from sagedock.server.services.ecr_records import EcrRecords

_LOOPBACK = "127.0.0.1"


class LocalRegistry:
    """`service` is ECR; `address` is where `docker push` goes, the same each time a data folder is
    served as long as nobody else takes its port. `start` begins to listen; `close` ends it all.

    The program that keeps the bytes is started when the first of them come.
    """

    def __init__(self, settings: LocalSettings, *, port: int | None = None) -> None:
        records = EcrRecords(settings.data, settings.account)
        self._program = RegistryProgram(settings.data / "registry")
        self._tokens = Tokens(_key(records))
        images = ImageStore(records, self._program)
        guarded = Guard(service=RegistryService(images, self._tokens))
        try:
            self._listener = _listener(records, port, guarded)
        except OSError:
            records.close()
            raise
        self.service = ecr.service(settings, images, self._tokens, self.address)
        self._thread: threading.Thread | None = None

    @property
    def address(self) -> str:
        """HOST:PORT: what URIs of images begin with."""
        return f"{_LOOPBACK}:{self._listener.server_port}"

    def login(self) -> dict[str, str]:
        """What an engine needs to pull: `username`, `password`."""
        return {"username": USER, "password": self._tokens.password()[0]}

    def start(self) -> None:
        """Answer at `address`."""
        self._thread = self._listener.start()

    def close(self) -> None:
        """Answer no more."""
        if self._thread:
            self._listener.shutdown()
            self._thread.join()
        self._listener.server_close()
        self._program.close()
        self.service.close()


def _key(records: EcrRecords) -> bytes:
    """The key that tokens are signed with, made once."""
    records.documents.add("registry", "key", {"key": secrets.token_hex(32)})
    known = records.documents.get("registry", "key") or {}
    return bytes.fromhex(known["key"])


def _listener(records: EcrRecords, port: int | None, service: Any) -> Listener:
    known = (records.documents.get("registry", "port") or {}).get("port", 0)
    try:
        listener = Listener((_LOOPBACK, known if port is None else port), service)
    except OSError:
        if port is not None:
            raise
        listener = Listener((_LOOPBACK, 0), service)
    records.documents.put("registry", "port", {"port": listener.server_port})
    return listener
