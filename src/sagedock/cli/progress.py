"""A bar for bytes on their way, at a terminal; nothing elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


@dataclass(frozen=True, kw_only=True)
class Bar:
    """Is told how far it is, from several threads if need be."""

    shown: tuple[Progress, TaskID] | None

    def add(self, count: int) -> None:
        """`count` more bytes are done."""
        if self.shown:
            bars, task = self.shown
            bars.update(task, advance=count, visible=True)

    def set(self, done: int, whole: int) -> None:
        """`done` of `whole` bytes are done; the whole may have grown."""
        if self.shown:
            bars, task = self.shown
            bars.update(task, completed=done, total=whole, visible=True)


@contextmanager
def bytes_bar(text: str, stream: TextIO | None, size: int | None = None) -> Iterator[Bar]:
    """A bar on `stream`, from the first that it is told until the block ends. `size` in bytes,
    None where it is not known yet."""
    if stream is None or not stream.isatty():
        yield Bar(shown=None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(),
               TransferSpeedColumn())  # fmt: skip
    with Progress(*columns, console=Console(file=stream), transient=True) as bars:
        yield Bar(shown=(bars, bars.add_task(text, total=size, visible=size is not None)))
