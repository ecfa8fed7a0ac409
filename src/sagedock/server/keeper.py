"""Sees to it that jobs and endpoints go on while the server runs, though nobody asks for them."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable
from typing import Protocol

from sagedock.errors import SagedockError

_LOOK_SECONDS = 3.0
_END_SECONDS = 5.0


class Recoverable(Protocol):
    """LocalSageMaker, as far as it is asked here."""

    def recover(self) -> None:
        """Take up what lost its owner, remove what is left. Raises SagedockError."""

    def take_up(self) -> None:
        """Take up what lost its owner. Raises SagedockError."""


class Keeper:
    """A thread that recovers `client` once, as soon as there is an engine, and then takes up what
    loses its owner, until `close`."""

    def __init__(self, client: Recoverable, look_seconds: float = _LOOK_SECONDS) -> None:
        self._client, self._seconds = client, look_seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="sagedock-keeper", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look no more. What is being done is waited for, but not for long."""
        self._ended.set()
        self._thread.join(_END_SECONDS)

    def _keep(self) -> None:
        while not self._did(self._client.recover):
            if self._ended.wait(self._seconds):
                return
        while not self._ended.wait(self._seconds):
            self._did(self._client.take_up)

    def _did(self, what: Callable[[], None]) -> bool:
        try:
            what()
        except SagedockError:
            return False  # no engine, a full disk: who asks for a job is told; here it is retried
        except Exception:  # a fault of ours ends neither this thread nor the server
            traceback.print_exc(file=sys.stderr)
        return True
