"""Objects with what S3 knows of them: a document and tags beside bytes, conditions at the commit.

The same rows and files as DiskStore's: what is written here a job can read, and the other way
round. Documents are the caller's text; this only keeps them with the bytes they are about. They
go when the bytes go, whoever replaces them.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import dropwhile, islice
from pathlib import Path
from typing import BinaryIO

from sagedock.errors import StoreError
from sagedock.store.disk import INSERT_OBJECT, DiskStore, info_of
from sagedock.store.files import copy_range, link_or_copy, temporary_beside, told_by_uri
from sagedock.store.folders import FolderBucket
from sagedock.store.protocol import ObjectInfo
from sagedock.store.staging import ORPHAN_SECONDS, Staging, list_blobs, sweep_blobs
from sagedock.store.uri import S3Uri, check_key

_SELECT = (
    "SELECT o.*, d.document, d.tags FROM objects o LEFT JOIN documents d ON d.blob = o.blob "
    "WHERE o.bucket = ? AND o.key "
)
_DOCUMENT = "INSERT OR REPLACE INTO documents VALUES (?, ?, ?)"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An object: its facts, the caller's `document` and `tags` ('' for none), and `name`, which
    stands for exactly these bytes."""

    info: ObjectInfo
    document: str = ""
    tags: str = ""
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class Incoming:
    """A file to be: written at `path`, then at `final` in one step."""

    uri: S3Uri
    path: Path
    final: Path
    is_folder: bool

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """The file to write, unbuffered; synced at the end. Raises OutputError."""
        with (
            told_by_uri(self.final, self.uri),
            self.path.open("xb", buffering=0) as stream,
        ):
            yield stream
            os.fsync(stream.fileno())


Check = Callable[[Entry | None], None]
"""Raises what is to be raised if an object as it is now may not be replaced or removed."""

Also = Callable[[sqlite3.Connection], None]
"""What else belongs to the transaction."""


def _anything(_: object) -> None:
    pass


class Catalog:
    """Objects of `store`, with documents. `close` it before the store."""

    def __init__(self, store: DiskStore) -> None:
        self.store = store
        self.staging = Staging(store.folder)

    # reading

    def entry(self, uri: S3Uri) -> Entry | None:
        """The object, None for an unknown key. An unknown bucket raises StoreError."""
        rows = self.store.query(_SELECT + "= ?", uri.bucket, uri.key)
        if rows:
            return _entry(rows[0])
        behind = self.store.as_folder(uri.bucket)
        return self._file(behind, uri.key) if behind else None

    def _file(self, behind: FolderBucket, key: str) -> Entry | None:
        try:
            return self._described(behind.head(key))
        except (StoreError, OSError):
            return None

    def _described(self, info: ObjectInfo) -> Entry:
        name = f"{info.uri.bucket}:{info.etag}:{info.uri.key}"
        rows = self.store.query("SELECT * FROM documents WHERE blob = ?", name)
        document, tags = (rows[0]["document"], rows[0]["tags"]) if rows else ("", "")
        return Entry(info=info, document=document, tags=tags, name=name)

    def open(self, uri: S3Uri) -> tuple[Entry, BinaryIO] | None:
        """The object and its bytes, both of one moment."""
        entry = self.entry(uri)
        while entry:
            try:
                return entry, self.path(entry).open("rb", buffering=0)
            except FileNotFoundError:  # replaced between the look-up and the use
                now = self.entry(uri)
                if now == entry:
                    raise
                entry = now
        return None

    def path(self, entry: Entry) -> Path:
        """The file that holds the bytes: to read, never to change."""
        behind = self.store.as_folder(entry.info.uri.bucket)
        return behind.path(entry.info.uri.key) if behind else self.store.blobs / entry.name

    def page(self, prefix: S3Uri, start: str, limit: int, *, after: bool) -> list[Entry]:
        """Up to `limit` objects whose key begins with `prefix.key`, from the key `start` on or,
        with `after`, behind it."""
        behind = self.store.as_folder(prefix.bucket)
        if behind:
            return self._files(behind, prefix, start, limit, after=after)
        begin, sign = (prefix.key, ">=") if start < prefix.key else (start, ">" if after else ">=")
        rows = self.store.query(
            f"{_SELECT}{sign} ? ORDER BY o.key LIMIT ?", prefix.bucket, begin, limit
        )
        return [_entry(row) for row in rows if row["key"].startswith(prefix.key)]

    def _files(
        self, behind: FolderBucket, prefix: S3Uri, start: str, limit: int, *, after: bool
    ) -> list[Entry]:
        first = start.encode()

        def is_before(info: ObjectInfo) -> bool:
            key = info.uri.key.encode("utf-8", "surrogateescape")
            return key <= first if after and start else key < first

        try:
            found = list(islice(dropwhile(is_before, behind.list(prefix.key)), limit))
        except StoreError:  # a prefix that no path below the folder has
            return []
        return [self._described(info) for info in found if _is_text(info.uri.key)]

    # writing

    @contextmanager
    def incoming(self, uri: S3Uri) -> Iterator[Incoming]:
        """A file for a new object; what isn't committed in the block is removed. Raises
        StoreError for a key that can't be, or a bucket that isn't there."""
        check_key(uri.key)
        behind = self.store.as_folder(uri.bucket)
        if behind is None:
            with self.staging.temporary() as path:
                yield Incoming(uri=uri, path=path, final=self.store.new_blob(), is_folder=False)
            return
        final = behind.path(uri.key)
        path = temporary_beside(final)
        with told_by_uri(final, uri):
            final.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield Incoming(uri=uri, path=path, final=final, is_folder=True)
        finally:
            with suppress(OSError):
                path.unlink()

    def commit(
        self,
        incoming: Incoming,
        *,
        etag: str,
        document: str,
        tags: str = "",
        check: Check = _anything,
        also: Also = _anything,
    ) -> Entry:
        """Make the file an object. It is one, with everything that is known of it, or nothing has
        changed. Raises StoreError where the bucket has gone, and what `check` raises."""
        if incoming.is_folder:
            return self._commit_file(incoming, document, tags, check, also)
        final, uri = incoming.final, incoming.uri
        with told_by_uri(final, uri):
            final.parent.mkdir(parents=True, exist_ok=True)
            incoming.path.replace(final)
        try:
            name = str(final.relative_to(self.store.blobs))
            info = ObjectInfo(
                uri=uri, size=final.stat().st_size, etag=etag, modified=time.time()
            )  # fmt: skip
            entry = Entry(info=info, document=document, tags=tags, name=name)
            old = self._insert(entry, check, also)
        except BaseException:
            final.unlink(missing_ok=True)
            raise
        if old:
            (self.store.blobs / old.name).unlink(missing_ok=True)
        return entry

    def _insert(self, entry: Entry, check: Check, also: Also) -> Entry | None:
        info = entry.info
        with self.store.changing() as db:
            self.store.as_folder(info.uri.bucket)  # raises where it has gone meanwhile
            row = db.execute(_SELECT + "= ?", (info.uri.bucket, info.uri.key)).fetchone()
            old = _entry(row) if row else None
            check(old)
            db.execute(_DOCUMENT, (entry.name, entry.document, entry.tags))
            values = (info.uri.bucket, info.uri.key, entry.name, info.size, info.etag)
            db.execute(INSERT_OBJECT, (*values, info.modified))
            also(db)
        return old

    def _commit_file(
        self, incoming: Incoming, document: str, tags: str, check: Check, also: Also
    ) -> Entry:
        behind = self.store.as_folder(incoming.uri.bucket)
        if behind is None:
            raise StoreError(f"Bucket {incoming.uri.bucket!r} is no folder any more.")
        with self.store.changing() as db:
            old = self._file(behind, incoming.uri.key)
            check(old)
            with told_by_uri(incoming.final, incoming.uri):
                incoming.path.replace(incoming.final)
            if old:
                db.execute("DELETE FROM documents WHERE blob = ?", (old.name,))
            entry = self._described(behind.head(incoming.uri.key))
            db.execute(_DOCUMENT, (entry.name, document, tags))
            also(db)
        return replace(entry, document=document, tags=tags)

    def copy(
        self, source: Entry, uri: S3Uri, *, etag: str, document: str, tags: str, check: Check
    ) -> Entry:
        """A new object with the bytes of `source`: another name for the same file, for neither
        can change. A user's own file can: its bytes are copied, and so are those for a folder."""
        path = self.path(source)
        with self.incoming(uri) as incoming:
            if incoming.is_folder or self.store.as_folder(source.info.uri.bucket):
                with incoming.open() as target, path.open("rb", buffering=0) as stream:
                    copy_range(stream, 0, source.info.size, target)
            else:
                with told_by_uri(incoming.final, uri):
                    link_or_copy(path, incoming.path)
            return self.commit(incoming, etag=etag, document=document, tags=tags, check=check)

    def set_tags(self, entry: Entry, tags: str) -> None:
        """New tags for these bytes."""
        with self.store.changing() as db:
            db.execute(_DOCUMENT, (entry.name, entry.document, tags))

    def delete(self, uri: S3Uri, check: Check = _anything) -> None:
        """Remove the object; one that isn't there is no error. Raises what `check` raises."""
        with self.store.changing() as db:
            old = self.entry(uri)
            check(old)
            if old is None:
                return
            path = self.path(old)
            db.execute("DELETE FROM objects WHERE bucket = ? AND key = ?", (uri.bucket, uri.key))
            db.execute("DELETE FROM documents WHERE blob = ?", (old.name,))
        path.unlink(missing_ok=True)

    # what killed processes left

    def sweep(self, known: set[str], grace: float = ORPHAN_SECONDS) -> None:
        """Remove files that nothing names: `known` are uploads and parts (see Staging.sweep)."""
        if not self.staging.is_mine:
            return
        self.staging.sweep(known)
        files = list_blobs(self.store.blobs)
        named = {row["blob"] for row in self.store.query("SELECT blob FROM objects")}
        sweep_blobs(self.store.blobs, files, named, grace)

    def close(self) -> None:
        """Let go of the folder for what is on its way."""
        self.staging.close()


def _entry(row: sqlite3.Row) -> Entry:
    return Entry(
        info=info_of(row),
        document=row["document"] or "",
        tags=row["tags"] or "",
        name=row["blob"],
    )


def _is_text(key: str) -> bool:
    """A file's name may be no UTF-8: S3 has no key for it."""
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True
