"""Shows a job's status and log as plain lines, as the SDKs do."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TextIO

from sagedock.engine.plan import LogLine
from sagedock.local.records import Job


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
