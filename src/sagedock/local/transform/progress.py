"""How far a transform job has come: counted by whoever does the work, told by one thread.

Must not know who listens.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

_LOOK_SECONDS = 0.25
_UNITS = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3))


@dataclass(frozen=True, kw_only=True)
class Reached:
    """`sent` and `size` in bytes, `seconds` since the beginning."""

    sent: int
    size: int
    objects: int
    of_objects: int
    seconds: float

    def __str__(self) -> str:
        """`45 % of 104.9 MB, 3 of 7 objects, 55.1 MB/s`."""
        share = min(100, 100 * self.sent // self.size) if self.size else 100
        speed = self.sent / max(self.seconds, 1e-3)
        return (
            f"{share} % of {amount(self.size)}, "
            f"{self.objects} of {self.of_objects} objects, {amount(speed)}/s"
        )


def amount(count: float) -> str:
    """`104.9 MB`."""
    for unit, size in _UNITS:
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count:.0f} bytes"


class Progress:
    """Counts bytes and objects; any thread may count."""

    def __init__(self, size: int, objects: int) -> None:
        self._size, self._of_objects = size, objects
        self._sent = self._objects = self._through = 0
        self._lock = threading.Lock()
        self._began = time.monotonic()

    def sent(self, count: int) -> None:
        """So many bytes of the input have been transformed; of what is tried again, again."""
        with self._lock:
            self._sent += count

    def object_done(self, size: int) -> None:
        """Another object, of so many bytes, is through, well or not: all of it counts, also line
        breaks that no payload had."""
        with self._lock:
            self._objects += 1
            self._through += size
            self._sent = max(self._sent, self._through)

    def reached(self) -> Reached:
        """How far it has come."""
        return Reached(
            sent=self._sent,
            size=self._size,
            objects=self._objects,
            of_objects=self._of_objects,
            seconds=time.monotonic() - self._began,
        )


class Teller:
    """Tells `look` of progress a few times a second, from a thread of its own, while the `with`
    block runs."""

    def __init__(self, progress: Progress, look: Callable[[Reached], None]) -> None:
        self._progress, self._look = progress, look
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sagedock-progress", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            self._look(self._progress.reached())
