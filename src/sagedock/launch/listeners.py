"""Shows a job's status and log as plain lines, as the SDKs do; what else listeners may hear."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, TextIO, runtime_checkable

from sagedock.engine.plan import LogLine
from sagedock.local.records import Job

if TYPE_CHECKING:
    from sagedock.local.execution import Listener


@runtime_checkable
class Hearing(Protocol):
    """A listener who is also told what goes on around a job: uploads, where it can be seen, what
    it costs."""

    def status(self, job: Job) -> None:
        """As any listener."""

    def log(self, line: LogLine) -> None:
        """As any listener."""

    def note(self, text: str) -> None:
        """A line that stays."""

    def doing(self, text: str) -> None:
        """How far something is, a few times a second: worth a moving line only."""


def notes_of(listener: Listener) -> tuple[Callable[[str], None], Callable[[str], None]]:
    """The listener's `note` and `doing`; a listener without them is spared."""
    if isinstance(listener, Hearing):
        return listener.note, listener.doing
    return (lambda text: None), (lambda text: None)


class PlainListener:
    """Prints to `stream`: `2026-11-24 08:07:01 Training - Training in progress.`, then the log."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def status(self, job: Job) -> None:
        """One line for each secondary status."""
        entered = job.state.transitions[-1]
        moment = datetime.fromtimestamp(entered.started, UTC).strftime("%Y-%m-%d %H:%M:%S")
        print(f"{moment} {entered.status} - {entered.message}", file=self._stream, flush=True)

    def log(self, line: LogLine) -> None:
        """A line as the container printed it."""
        print(line.text, file=self._stream, flush=True)

    def note(self, text: str) -> None:
        """The line."""
        print(text, file=self._stream, flush=True)

    def doing(self, text: str) -> None:
        """Nothing: lines can't move."""
