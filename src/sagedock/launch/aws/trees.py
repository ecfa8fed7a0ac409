"""Local inputs on their way to S3: which files, what they are, and under which keys.

A tree's keys lie below the digest of all its names and contents. So what one job reads is never
overwritten by another launch, an object that is there has the right content, an unchanged input
is known without asking about each file, and an upload that broke off goes on with what is missing.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from sagedock.aws.s3 import Copying, Sending
from sagedock.errors import InputError, StoreError
from sagedock.store.uri import check_key

INPUTS = "sagedock/inputs"
TREES = "sagedock/trees"
_BLOCK = 1 << 20
_THREADS = min(4, os.cpu_count() or 1)


@dataclass(frozen=True, kw_only=True)
class Tree:
    """A file or folder as it is now. `prefix` (it ends in a slash) is where its files go; `record`
    the key of what was last uploaded from the same path."""

    root: Path
    is_folder: bool
    prefix: str
    record: str
    files: tuple[Sending, ...]

    @property
    def key(self) -> str:
        """The key that a request names: the folder's prefix, or the one file's."""
        return self.prefix if self.is_folder else self.files[0].key

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(item.size for item in self.files)

    def manifest(self) -> bytes:
        """What the next upload from this path will want to know."""
        digests = {item.key.removeprefix(self.prefix): item.sha256 for item in self.files}
        return json.dumps({"prefix": self.prefix, "files": digests}).encode()


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """An earlier upload from the same path: its prefix, and its files' digests by name."""

    prefix: str
    files: Mapping[str, str]

    @classmethod
    def parse(cls, data: bytes | None) -> Earlier | None:
        """Read `Tree.manifest`; None for what is none: then everything is sent."""
        try:
            document = json.loads(data or b"null")
            return cls(prefix=str(document["prefix"]), files=dict(document["files"]))
        except (ValueError, TypeError, KeyError):
            return None


def read_tree(path: Path) -> Tree:
    """The file or folder at `path`, all of its content read once, in bounded memory.

    Links are followed. Raises InputError for what is not there, an empty folder, a link that leads
    nowhere or in a circle, what is no regular file, and a name that S3 can't hold.
    """
    if not path.exists():
        raise InputError(
            f"Input {str(path)!r}: no such file or folder.",
            hint="Name an existing file or folder, or an s3:// URI.",
        )
    found = list(_walk(path)) if path.is_dir() else [(path.name, _regular(path))]
    if not found:
        raise InputError(
            f"The folder {path} holds no files: S3 has no empty folders.",
            hint="A job can't be given an empty channel on AWS: leave it out.",
        )
    with ThreadPoolExecutor(_THREADS) as pool:  # hashing leaves the interpreter to others
        read = list(pool.map(lambda item: _read(*item), found))
    digest = hashlib.sha256()
    for name, item in read:
        digest.update(f"{name}\0{item.size}\0{item.sha256}\n".encode())
    prefix = f"{INPUTS}/{digest.hexdigest()[:40]}/"
    return Tree(
        root=path,
        is_folder=path.is_dir(),
        prefix=prefix,
        record=f"{TREES}/{hashlib.sha256(os.fsencode(path)).hexdigest()[:40]}.json",
        files=tuple(_placed(item, prefix, name) for name, item in read),
    )


def plan(
    tree: Tree, there: Mapping[str, int], earlier: Earlier | None, still: Mapping[str, int]
) -> list[Sending | Copying]:
    """What is to be done so that all of the tree is there. `there` and `still` are key to size of
    what lies below the tree's prefix and below the earlier upload's. Pure."""
    known: dict[str, str] = {}
    if earlier:
        known = {digest: f"{earlier.prefix}{name}" for name, digest in earlier.files.items()}
    made: list[Sending | Copying] = []
    for item in tree.files:
        source = known.get(item.sha256)
        if there.get(item.key) == item.size:
            continue
        if source is not None and still.get(source) == item.size:
            made.append(Copying(source=source, key=item.key, size=item.size))
        else:
            made.append(item)
    return made


def _walk(folder: Path, above: tuple[Path, ...] = (), base: str = "") -> Iterator[tuple[str, Path]]:
    """Names below the folder (with slashes) and their files, in order."""
    here = folder.resolve()
    if here in above:
        raise InputError(
            f"{folder} is a link to a folder that it lies in: it has no end.",
            hint="Take the link away, or name a folder without it.",
        )
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise InputError(f"The folder {folder} can't be read: {error.strerror}.") from error
    for entry in entries:
        name = f"{base}{entry.name}"
        if entry.is_dir():
            yield from _walk(Path(entry.path), (*above, here), f"{name}/")
        else:
            yield name, _regular(Path(entry.path))


def _regular(path: Path) -> Path:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        link = path.is_symlink()
        raise InputError(
            f"{path} is a link to {path.readlink()}, where nothing is."
            if link
            else f"{path} can't be read: {error.strerror}."
        ) from error
    if not stat.S_ISREG(mode):
        raise InputError(
            f"{path} is no regular file (a pipe, socket or device): it has no content."
        )
    return path


def _read(name: str, path: Path) -> tuple[str, Sending]:
    try:
        check_key(name)
    except StoreError as error:
        raise InputError(f"{str(path)!r} has a name that S3 can't hold: {error.message}") from error
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            before = os.fstat(stream.fileno())
            size = 0
            while block := stream.read(_BLOCK):
                digest.update(block)
                size += len(block)
            after = os.fstat(stream.fileno())
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}.") from error
    if (size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise InputError(f"{path} has changed while it was read.", hint="Start when it is written.")
    read = Sending(
        path=path, key="", size=size, sha256=digest.hexdigest(), changed=after.st_mtime_ns
    )
    return name, read


def _placed(item: Sending, prefix: str, name: str) -> Sending:
    key = f"{prefix}{name}"
    try:
        check_key(key)
    except StoreError as error:
        raise InputError(f"{item.path} has a name too long for S3: {error.message}") from error
    return Sending(
        path=item.path, key=key, size=item.size, sha256=item.sha256, changed=item.changed
    )
