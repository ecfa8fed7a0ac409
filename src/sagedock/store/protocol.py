"""What an object store can do, whoever keeps the bytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from sagedock.store.uri import S3Uri


@dataclass(frozen=True, kw_only=True)
class ObjectInfo:
    """One object: size in bytes, `modified` in seconds since the epoch."""

    uri: S3Uri
    size: int
    etag: str
    modified: float


class ObjectStore(Protocol):
    """Objects by URI. Unknown buckets and keys raise StoreError, never fall through elsewhere."""

    def create_bucket(self, bucket: str) -> None:
        """Make `bucket`; one that exists is left alone."""

    def has_bucket(self, bucket: str) -> bool:
        """Whether `bucket` is known here."""

    def list(self, prefix: S3Uri) -> Iterator[ObjectInfo]:
        """Objects whose key begins with the *string* `prefix.key` (A3.10), in S3's byte order."""

    def head(self, uri: S3Uri) -> ObjectInfo:
        """One object's facts."""

    def open(self, uri: S3Uri) -> BinaryIO:
        """The object's bytes, as they were when opened."""

    def writer(self, uri: S3Uri) -> AbstractContextManager[BinaryIO]:
        """A file to write the object into. It appears whole when the block ends without an
        error, and not at all otherwise."""

    def delete(self, uri: S3Uri) -> None:
        """Remove the object; one that isn't there is no error, as in S3."""

    def place(self, info: ObjectInfo, target: Path) -> None:
        """Lay the object down as the read-only file `target`, without a copy where possible."""
