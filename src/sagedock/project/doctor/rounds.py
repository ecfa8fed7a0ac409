"""Runs checks side by side, each with a limit of time: what hangs is told, not waited for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sagedock.errors import SagedockError
from sagedock.project.doctor.findings import Finding, failure

SECONDS = 20.0


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check: its name, what finds out, and how many seconds that may take."""

    name: str
    find: Callable[[], Iterable[Finding]]
    seconds: float = SECONDS


def run(checks: Sequence[Check]) -> list[Finding]:
    """All findings, in the order of the checks. A check that raises one of our errors, or does
    not end, is a failure of its own."""
    runs = [_Run(check) for check in checks]
    return [finding for one in runs for finding in one.findings()]


class _Run:
    """One check in a thread that nobody has to wait for."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._found: list[Finding] | None = None
        self._broken: BaseException | None = None
        self._end = time.monotonic() + check.seconds
        self._thread = threading.Thread(target=self._find, daemon=True)
        self._thread.start()

    def _find(self) -> None:
        try:
            self._found = list(self._check.find())
        except SagedockError as error:
            self._found = [failure(self._check.name, error.message, error.hint)]
        except BaseException as error:  # it belongs to whoever waits
            self._broken = error

    def findings(self) -> list[Finding]:
        """What it has found by the end of its time."""
        self._thread.join(max(self._end - time.monotonic(), 0))
        if self._broken is not None:
            raise self._broken
        if self._found is None:
            words = f"no answer within {self._check.seconds:g} s"
            return [
                failure(self._check.name, words, "See `proxy`, and whether the other end works.")
            ]
        return self._found
