"""What `cp` copies, and the copying: a list of pairs first, then bytes.

Files appear whole or not at all. Must not know the command line.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol, TextIO

from sagedock.errors import InputError, OutputError, StoreError, UsageError
from sagedock.store.disk import DiskStore
from sagedock.store.uri import SCHEME, S3Uri

_CHUNK = 1 << 20
_LARGE = 64 << 20
"""Bytes from which on a copy shows its progress at a terminal."""

Told = Callable[[int], None]


class Sized(Protocol):
    """An object as it is listed."""

    @property
    def uri(self) -> S3Uri:
        """Where it is."""

    @property
    def size(self) -> int:
        """Bytes."""


class Shelf(Protocol):
    """Where objects are looked up: a store on this machine, or S3."""

    def head(self, uri: S3Uri) -> Sized:
        """One object. Raises StoreError where there is none."""

    def list(self, prefix: S3Uri) -> Iterable[Sized]:
        """All below a prefix, in the order of their keys."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """An end of a copy: an object (prefix), or a path. `folder`: what comes in keeps its name."""

    at: S3Uri | Path
    folder: bool

    def below(self, name: str) -> S3Uri | Path:
        """Where something of that name (which may hold slashes) goes."""
        if isinstance(self.at, S3Uri):
            return S3Uri(self.at.bucket, f"{_folder_key(self.at.key)}{name}")
        parts = name.split("/")
        if any(part in {"", ".", ".."} for part in parts):
            raise StoreError(f"The object key {name!r} can't be a file below {self.at}.")
        return self.at.joinpath(*parts)


@dataclass(frozen=True, kw_only=True)
class Copy:
    """One file or object on its way; `size` in bytes."""

    source: S3Uri | Path
    target: S3Uri | Path
    size: int


def place(text: str) -> Place:
    """What a person typed. Raises StoreError for a URI that S3 would not take."""
    if text.startswith(SCHEME):
        uri = S3Uri.parse(text)
        return Place(at=uri, folder=not uri.key or uri.key.endswith("/"))
    if "://" in text:
        raise UsageError(f"{text!r} can't be copied: expected a path or s3://<bucket>/<key>.")
    path = Path(text).expanduser()
    return Place(at=path, folder=text.endswith("/") or path.is_dir())


def plan_copies(store: Shelf, source: Place, target: Place, *, recursive: bool) -> list[Copy]:
    """Every copy to be made. Raises InputError or StoreError where there is nothing to copy."""
    if isinstance(source.at, Path) and isinstance(target.at, Path):
        raise UsageError(
            f"{source.at} and {target.at} are both paths: one of them must be an s3:// URI.",
            hint="`cp` copies files on this machine.",
        )
    found = _tree(store, source) if recursive else [_single(store, source)]
    keep_name = recursive or target.folder
    return [
        Copy(source=item, target=target.below(name) if keep_name else target.at, size=size)
        for name, item, size in found
    ]


Found = tuple[str, S3Uri | Path, int]
"""Name below the target, what to copy, size."""


def _single(store: Shelf, source: Place) -> Found:
    if isinstance(source.at, Path):
        if source.at.is_dir():
            raise InputError(f"{source.at} is a folder.", hint="Copy all of it: sagedock cp -r")
        if not source.at.is_file():
            raise InputError(f"{source.at}: no such file.")
        return source.at.name, source.at, source.at.stat().st_size
    if source.folder:
        raise InputError(f"{source.at} names no object.", hint="Copy all below it: sagedock cp -r")
    return PurePosixPath(source.at.key).name, source.at, store.head(source.at).size


def _tree(store: Shelf, source: Place) -> list[Found]:
    found = list(_files(source.at) if isinstance(source.at, Path) else _objects(store, source.at))
    if not found:
        raise InputError(f"There is nothing to copy in {source.at}.")
    return found


def _files(folder: Path) -> Iterator[Found]:
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder.", hint="Without -r one file is copied.")
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path, path.stat().st_size


def _objects(store: Shelf, prefix: S3Uri) -> Iterator[Found]:
    base = _folder_key(prefix.key)
    for info in store.list(S3Uri(prefix.bucket, base)):
        if not info.uri.key.endswith("/"):  # consoles make such empty objects to show a folder
            yield info.uri.key.removeprefix(base), info.uri, info.size


def _folder_key(key: str) -> str:
    return f"{key.rstrip('/')}/" if key else ""


# doing it


def carry_out(store: DiskStore, copies: list[Copy], *, stream: TextIO | None) -> None:
    """Copy, saying each on `stream`. Raises StoreError, OutputError."""
    for copy in copies:
        if isinstance(copy.target, S3Uri) and not store.has_bucket(copy.target.bucket):
            store.create_bucket(copy.target.bucket)
            say(stream, f"made bucket {copy.target.bucket}")
        with progress(str(copy.source), copy.size, stream) as told:
            _copy(store, copy, told)
        say(stream, f"{copy.source} -> {copy.target}")


def _copy(store: DiskStore, copy: Copy, told: Told) -> None:
    with _source(store, copy.source) as data, _target(store, copy.target) as stream:
        while chunk := data.read(_CHUNK):
            stream.write(chunk)
            told(len(chunk))


def _source(store: DiskStore, source: S3Uri | Path) -> BinaryIO:
    if isinstance(source, S3Uri):
        return store.open(source)
    try:
        return source.open("rb")
    except OSError as error:
        raise InputError(f"{source} can't be read: {error.strerror}.") from error


@contextmanager
def _target(store: DiskStore, target: S3Uri | Path) -> Iterator[BinaryIO]:
    if isinstance(target, S3Uri):
        with store.writer(target) as stream:
            yield stream
        return
    try:
        with _whole_file(target) as stream:
            yield stream
    except OSError as error:
        raise OutputError(
            f"{target} can't be written: {error.strerror}.",
            hint="Name a place that you may write to and that has room.",
        ) from error


@contextmanager
def _whole_file(target: Path) -> Iterator[BinaryIO]:
    """Written under another name, so that a copy that breaks off leaves nothing behind."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".sagedock-", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)
        Path(name).replace(target)
    finally:
        Path(name).unlink(missing_ok=True)


@contextmanager
def progress(words: str, size: int, stream: TextIO | None) -> Iterator[Told]:
    """A bar for much data at a terminal; it may be told from several threads."""
    from sagedock.cli.progress import bytes_bar

    with bytes_bar(words, stream if size >= _LARGE else None, size) as bar:
        yield bar.add


def say(stream: TextIO | None, text: str) -> None:
    """A line, where somebody listens."""
    if stream:
        print(text, file=stream, flush=True)
