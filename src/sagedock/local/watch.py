"""Ends a container in time: somebody asked, or its time is up. Signal, grace, SIGKILL."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from enum import Enum
from types import TracebackType
from typing import Self

from sagedock.engine.container import Container

_TICK_SECONDS = 0.2


class StopReason(Enum):
    """Why a container was told to end."""

    REQUESTED = "requested"
    MAX_RUNTIME = "max runtime"


class Watcher:
    """Watches one container from a thread of its own while the owner reads its log.

    `deadline` is on the monotonic clock; `grace` in seconds. `on_stop` is told the reason when the
    signal is sent.
    """

    def __init__(
        self,
        container: Container,
        *,
        signal: str,
        grace: float,
        deadline: float,
        stop_requested: Callable[[], bool],
        on_stop: Callable[[StopReason], None],
    ) -> None:
        self.reason: StopReason | None = None
        self._container, self._signal, self._grace = container, signal, grace
        self._deadline, self._stop_requested, self._on_stop = deadline, stop_requested, on_stop
        self._asked = self._over = False
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sagedock-watcher", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over = True
        self._wake.set()
        self._thread.join()

    def stop(self) -> None:
        """Ask for the container to be stopped."""
        self._asked = True
        self._wake.set()

    def kill(self) -> None:
        """End the container now."""
        self._grace = 0.0
        self.stop()

    def _run(self) -> None:
        reason = self._wait_for_reason()
        if reason is None:
            return
        self.reason = reason
        self._on_stop(reason)
        self._container.signal(self._signal)
        signalled = time.monotonic()
        while not self._over:
            if time.monotonic() - signalled >= self._grace:
                self._container.signal("SIGKILL")
                return
            self._sleep()

    def _wait_for_reason(self) -> StopReason | None:
        while not self._over:
            if self._asked or self._stop_requested():
                return StopReason.REQUESTED
            if time.monotonic() >= self._deadline:
                return StopReason.MAX_RUNTIME
            self._sleep()
        return None

    def _sleep(self) -> None:
        """A tick, or less where somebody has news."""
        self._wake.wait(_TICK_SECONDS)
        self._wake.clear()
