"""A bar for what takes long, at a terminal; nothing elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

Shown = Callable[[int, int], None]
"""Told how many bytes of how many are done; the whole may grow."""


@contextmanager
def bytes_bar(text: str, stream: TextIO | None) -> Iterator[Shown]:
    """A bar of bytes on `stream`, from the first that it is told of until the block ends."""
    if stream is None or not stream.isatty():
        yield lambda done, whole: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(),
               TransferSpeedColumn())  # fmt: skip
    with Progress(*columns, console=Console(file=stream), transient=True) as bar:
        task = bar.add_task(text, total=None, visible=False)
        yield lambda done, whole: bar.update(task, completed=done, total=whole, visible=True)
