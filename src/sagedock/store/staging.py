"""Where bytes lie until they are an object: `uploads/` in the data folder. Must not know names.

One process at a time has the folder to itself, known by a lock that dies with it: that one may
sweep what nobody needs any more and let parts of an upload share a file. Others put every part
into a file of its own and sweep nothing.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
import time
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sagedock.errors import OutputError

_LOCK = ".lock"
_INCOMING = "incoming-"
ORPHAN_SECONDS = 600.0
"""A file without a row is one that another process is just about to name in a row, for a moment;
after this time it is one that a killed process left."""


class Staging:
    """The folder `uploads/` below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "uploads"
        try:
            self.folder.mkdir(exist_ok=True)
            self._lock = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise OutputError(
                f"The data folder {folder} can't be used: {error.strerror}.",
                hint="Name a folder that you may write to, with --data or SAGEDOCK_DATA.",
            ) from error
        self.is_mine = _locked(self._lock)
        self._claims: set[tuple[str, int]] = set()
        self._sealed: set[str] = set()
        self._guard = threading.Lock()

    @contextmanager
    def temporary(self) -> Iterator[Path]:
        """A new name; the file is removed at the end if it is still there."""
        path = self.folder / f"{_INCOMING}{uuid.uuid4().hex}"
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    @contextmanager
    def claim(self, upload: str, number: int) -> Iterator[bool]:
        """Whether a part of an upload is the caller's alone, here and in all processes, until the
        end."""
        with self._guard:
            what = (upload, number)
            mine = self.is_mine and upload not in self._sealed and what not in self._claims
            if mine:
                self._claims.add(what)
        try:
            yield mine
        finally:
            if mine:
                with self._guard:
                    self._claims.discard(what)

    @contextmanager
    def alone(self, upload: str) -> Iterator[bool]:
        """Whether at most the caller has claimed a part of an upload, and nobody else will until
        the end: to be left at once."""
        with self._guard:
            yield sum(claimed == upload for claimed, _ in self._claims) <= 1

    @contextmanager
    def seal(self, upload: str) -> Iterator[bool]:
        """Whether nobody writes to a part that is claimed, nor will until the end."""
        with self._guard:
            taken = {claimed for claimed, _ in self._claims} | self._sealed
            mine = self.is_mine and upload not in taken
            if mine:
                self._sealed.add(upload)
        try:
            yield mine
        finally:
            if mine:
                with self._guard:
                    self._sealed.discard(upload)

    def sweep(self, known: Collection[str]) -> None:
        """Remove what is in none of `known`, the paths of parts and uploads below this folder."""
        if not self.is_mine:
            return
        for path in self.folder.iterdir():
            if path.is_dir() and path.name in known:
                for file in path.iterdir():
                    if f"{path.name}/{file.name}" not in known:
                        file.unlink(missing_ok=True)
            elif path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name.startswith(_INCOMING):
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the folder."""
        os.close(self._lock)


def sweep_blobs(blobs: Path, files: list[str], known: Collection[str], grace: float) -> None:
    """Remove those of `files`, paths below `blobs`, that no row names and that are no newer than
    `grace` seconds. They are to be listed before the rows are read: a row comes after its file."""
    limit = time.time() - grace
    for name in files:
        path = blobs / name
        with suppress(OSError):
            stat = path.stat()
            if name not in known and max(stat.st_mtime, stat.st_ctime) < limit:
                path.unlink()


def list_blobs(blobs: Path) -> list[str]:
    """All files below `blobs`, hidden ones (being written) among them."""
    found = []
    with os.scandir(blobs) as folders:
        for folder in folders:
            if folder.is_dir(follow_symlinks=False):
                with os.scandir(folder.path) as files:
                    found += [f"{folder.name}/{file.name}" for file in files]
    return found


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
