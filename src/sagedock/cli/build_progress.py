"""A build's steps as they go: on a terminal what runs and for how long, elsewhere plain lines."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from sagedock.images.steps import Step

_WIDTH = 90


@contextmanager
def progress(quiet: bool) -> Iterator[Callable[[str], None]]:
    """Takes a build's lines, on standard error. Quiet: warnings only."""
    if quiet or not sys.stderr.isatty():
        yield _warnings if quiet else _plain
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    bars = Progress(
        SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False),
        console=Console(stderr=True, highlight=False), transient=True,
    )  # fmt: skip
    with bars:
        yield _Shown(bars).line


def _plain(line: str) -> None:
    click.echo(line, err=True)


def _warnings(line: str) -> None:
    if line.startswith("warning: "):
        _plain(line)


class _Shown:
    """One row for each step under way; a line for each that has ended."""

    def __init__(self, bars: Progress) -> None:
        from sagedock.images.steps import Steps

        self._bars = bars
        self._steps = Steps()
        self._rows: dict[str, TaskID] = {}

    def line(self, text: str) -> None:
        """One line of the builder."""
        step = self._steps.read(text)
        if step is not None:
            self._step(step)
        elif not text.startswith("#"):
            if text.startswith(("building ", "comparing ")):  # the next image: steps count anew
                self._end_all()
            self._bars.console.print(text, markup=False)

    def _step(self, step: Step) -> None:
        name = step.name[:_WIDTH]
        if not step.how:
            self._rows[step.id] = self._bars.add_task(name, total=None)
            return
        row = self._rows.pop(step.id, None)
        if row is not None:
            self._bars.remove_task(row)
        if step.how != "DONE" or step.seconds >= 0.1:
            took = f"{step.seconds:6.1f} s" if step.how == "DONE" else f"{step.how.lower():>8}"
            self._bars.console.print(f"{took}  {name}", markup=False)

    def _end_all(self) -> None:
        from sagedock.images.steps import Steps

        for row in self._rows.values():
            self._bars.remove_task(row)
        self._rows.clear()
        self._steps = Steps()
