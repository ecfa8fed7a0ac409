"""Shows a job while it runs: a moving status line at a terminal, plain lines elsewhere.

A listener never ends a job: where nobody reads any more it falls silent. Must not know how jobs
are run.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TextIO

from sagedock.cli.lines import settled
from sagedock.cli.printing import moment
from sagedock.local.execution import Listener

if TYPE_CHECKING:
    from sagedock.engine.plan import LogLine
    from sagedock.local.records import Job

_STOPPING = "Stopping"
_AGAIN = "Ctrl-C again ends it at once"


class Show(Listener, AbstractContextManager["Show"], Protocol):
    """A listener for the time of a `with` block."""


def show_on(stream: TextIO, *, quiet: bool) -> Show:
    """The listener that suits `stream`; `quiet` leaves the job's own log out."""
    if stream.isatty() and os.environ.get("TERM", "dumb") not in {"dumb", "unknown"}:
        return TerminalShow(stream, quiet=quiet)
    return PlainShow(stream, quiet=quiet)


class PlainShow:
    """Lines: `2026-11-24 08:07:01 Training - Training in progress.`, and the log's own."""

    def __init__(self, stream: TextIO, *, quiet: bool) -> None:
        self._stream, self._quiet, self._gone = stream, quiet, False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Nothing to put back."""

    def status(self, job: Job) -> None:
        """One line for each secondary status."""
        entered = job.state.transitions[-1]
        self._write(f"{moment(entered.started)} {entered.status} - {entered.message}")

    def log(self, line: LogLine) -> None:
        """The line as a terminal would leave it."""
        if not self._quiet:
            self._write(settled(line.text))

    def _write(self, text: str) -> None:
        if self._gone:
            return
        try:
            print(text, file=self._stream, flush=True)
        except OSError:  # the reader went away, the disk is full: the job goes on
            self._gone = True
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())


class TerminalShow(PlainShow):
    """The log scrolls above one line that says what the job is doing and for how long."""

    def __init__(self, stream: TextIO, *, quiet: bool) -> None:
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        super().__init__(stream, quiet=quiet)
        self._progress = Progress(
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
            console=Console(file=stream, highlight=False, markup=False),
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._progress.add_task("Starting", total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def status(self, job: Job) -> None:
        """The moving line says it."""
        entered = job.state.transitions[-1]
        text = _AGAIN if entered.status == _STOPPING else job.name
        self._progress.update(self._task, description=f"{entered.status} · {text}")

    def _write(self, text: str) -> None:
        from rich.text import Text

        if not self._gone:
            try:
                self._progress.console.print(Text.from_ansi(text), soft_wrap=True)
            except OSError:  # the terminal was closed
                self._gone = True
