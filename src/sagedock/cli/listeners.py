"""Shows a job while it runs: a moving status line at a terminal, plain lines elsewhere.

A listener never ends a job: where nobody reads any more it falls silent. Must not know how jobs
are run.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TextIO

import click

from sagedock.cli.lines import harmless, settled
from sagedock.cli.printing import moment
from sagedock.launch.listeners import Hearing

if TYPE_CHECKING:
    from sagedock.engine.plan import LogLine
    from sagedock.local.records import Job

_STOPPING = "Stopping"
_AGAIN = "Ctrl-C again ends it at once"
"""Of a job on this machine; on AWS it asks again."""
_CLEAR = "\r\x1b[K"
_FRAMES, _ASCII_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "|/-\\"
_TURN_SECONDS = 0.1


class Show(Hearing, AbstractContextManager["Show"], Protocol):
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

    def note(self, text: str) -> None:
        """The line."""
        self._write(text)

    def doing(self, text: str) -> None:
        """Nothing: lines can't move."""

    def _write(self, text: str) -> None:
        if self._gone:
            return
        try:
            click.echo(text, file=self._stream)  # colours only where they can be seen
        except OSError:  # the reader went away, the disk is full: the job goes on
            self._fall_silent()

    def _fall_silent(self) -> None:
        self._gone = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())


class TerminalShow(PlainShow):
    """The log scrolls above one line that says what the job is doing and for how long.

    Written by hand: a live display of rich's costs 0.4 ms a line, and jobs print many.
    """

    def __init__(self, stream: TextIO, *, quiet: bool) -> None:
        super().__init__(stream, quiet=quiet)
        self._colour = not os.environ.get("NO_COLOR")
        self._frames = _FRAMES if "utf" in (stream.encoding or "").lower() else _ASCII_FRAMES
        self._text, self._began = "Starting", time.monotonic()
        self._lock, self._over = threading.Lock(), threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._over.clear()
        self._thread = threading.Thread(target=self._turn, name="sagedock-status", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._over.set()
        if self._thread:
            self._thread.join()
        self._put(_CLEAR)

    def status(self, job: Job) -> None:
        """The moving line says it."""
        entered = job.state.transitions[-1]
        self._text = f"{entered.status} - {_AGAIN if entered.status == _STOPPING else job.name}"

    def progress(self, text: str) -> None:
        """The moving line says this, too."""
        self._text = f"Transform - {text}"

    def doing(self, text: str) -> None:
        """As `progress`, in these words."""
        self._text = text

    def _write(self, text: str) -> None:
        with self._lock:
            self._put(f"{_CLEAR}{harmless(text, colour=self._colour)}\n{self._line()}")

    def _turn(self) -> None:
        while not self._over.wait(_TURN_SECONDS):
            with self._lock:
                self._put(f"{_CLEAR}{self._line()}")

    def _line(self) -> str:
        seconds = time.monotonic() - self._began
        frame = self._frames[int(seconds / _TURN_SECONDS) % len(self._frames)]
        width = shutil.get_terminal_size().columns - 1
        return f"{frame} {self._text}  {seconds:.0f} s"[:width]

    def _put(self, text: str) -> None:
        if self._gone:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:  # the terminal was closed: the job goes on
            self._fall_silent()
