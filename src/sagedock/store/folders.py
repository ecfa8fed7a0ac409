"""A folder of the user's seen as a bucket: how `file://` and plain paths get into a request.

A request must be one AWS would take, so a local path is named by a bucket of its own. Keys are
paths below the folder; every one is confined to it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sagedock.errors import StoreError
from sagedock.store.protocol import ObjectInfo
from sagedock.store.uri import S3Uri

_PREFIX = "sagedock-folder-"


def folder_bucket_name(folder: Path) -> str:
    """Bucket name of an absolute, resolved folder: the same folder, the same name."""
    return _PREFIX + hashlib.sha256(os.fsencode(folder)).hexdigest()[:24]


def is_folder_name(bucket: str) -> bool:
    """Whether only a folder may have this bucket name."""
    return bucket.startswith(_PREFIX)


@dataclass(frozen=True)
class FolderBucket:
    """Bucket `name`, whose objects are the files below `folder`."""

    name: str
    folder: Path

    def path(self, key: str) -> Path:
        """The file a key names. Raises StoreError for a key that would leave the folder."""
        parts = key.split("/")
        if any(part in {"", ".", ".."} or "\0" in part for part in parts):
            raise StoreError(
                f"{key!r} can't be a file below {self.folder}: expected names joined by single "
                "slashes, none of them '.', '..' or empty."
            )
        return self.folder.joinpath(*parts)

    def directory(self, prefix: str) -> Path | None:
        """The folder that holds exactly the keys with this prefix, if there is one."""
        trimmed = prefix.rstrip("/")
        target = self.path(trimmed) if trimmed else self.folder
        if not target.is_dir():
            return None
        if trimmed and not prefix.endswith("/") and self._has_siblings(target):
            return None
        return target

    @staticmethod
    def _has_siblings(target: Path) -> bool:
        """Whether other names begin with this one: a prefix is a string (A3.10)."""
        names = [entry.name for entry in target.parent.iterdir()]
        return any(name.startswith(target.name) and name != target.name for name in names)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Files below the folder whose key begins with `prefix`, in S3's byte order."""
        head, _, _ = prefix.rpartition("/")
        start = self.path(head) if head else self.folder
        if start.is_dir():
            yield from self._walk(start, f"{head}/" if head else "", prefix, frozenset())

    def _walk(
        self, folder: Path, base: str, prefix: str, above: frozenset[tuple[int, int]]
    ) -> Iterator[ObjectInfo]:
        here = (stat := folder.stat()).st_dev, stat.st_ino
        if here in above:  # a link that leads back to a folder above itself
            return
        for name, entry in _entries(folder):
            key = base + name
            if name.endswith("/"):
                if key.startswith(prefix) or prefix.startswith(key):
                    yield from self._walk(Path(entry.path), key, prefix, above | {here})
            elif key.startswith(prefix):
                yield self._info(key, entry.stat())

    def head(self, key: str) -> ObjectInfo:
        """One file's facts. Raises StoreError where it is no file."""
        path = self.path(key)
        if not path.is_file():
            raise StoreError(f"No file {path}.")
        return self._info(key, path.stat())

    def _info(self, key: str, stat: os.stat_result) -> ObjectInfo:
        return ObjectInfo(
            uri=S3Uri(self.name, key),
            size=stat.st_size,
            etag=f"{stat.st_ino:x}-{stat.st_mtime_ns:x}",
            modified=stat.st_mtime,
        )


def _entries(folder: Path) -> list[tuple[str, os.DirEntry[str]]]:
    """Files and folders (`/` after their name), in the order that their keys have. Links that lead
    nowhere, or only to themselves, pipes and sockets are neither."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):
                if entry.is_dir():
                    found.append((f"{entry.name}/", entry))
                elif entry.is_file():
                    found.append((entry.name, entry))
    return sorted(found, key=lambda item: os.fsencode(item[0]))
