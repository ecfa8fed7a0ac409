"""Multipart uploads: parts that wait to become one object, over restarts too.

Parts of one upload mostly have one size, so each is written to its own place in one file, and
completing the upload is a rename. A part that can't have its place there (it is larger than the
first, or sent again) gets a file of its own, and then the kernel puts the parts together.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sagedock.errors import StoreError
from sagedock.store.catalog import Catalog, Incoming
from sagedock.store.files import copy_range, told_by_uri
from sagedock.store.uri import S3Uri, check_key

_SCHEMA = """
CREATE TABLE IF NOT EXISTS uploads (
  id TEXT PRIMARY KEY, bucket TEXT NOT NULL, key TEXT NOT NULL, created REAL NOT NULL,
  document TEXT NOT NULL, tags TEXT NOT NULL, stride INTEGER) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS uploads_by_key ON uploads (bucket, key, id);
CREATE TABLE IF NOT EXISTS parts (
  upload TEXT NOT NULL, number INTEGER NOT NULL, file TEXT NOT NULL, offset INTEGER NOT NULL,
  size INTEGER NOT NULL, etag TEXT NOT NULL, modified REAL NOT NULL, document TEXT NOT NULL,
  PRIMARY KEY (upload, number)) WITHOUT ROWID;
"""
_SHARED = "body"
_FARTHEST = 1 << 40
"""Bytes into a shared file beyond which no file system is asked to go."""


@dataclass(frozen=True, kw_only=True)
class Upload:
    """An upload that is neither complete nor given up."""

    id: str
    uri: S3Uri
    created: float
    document: str
    tags: str


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part: `size` bytes of `file` (below the upload's folder) from `offset` on."""

    number: int
    file: str
    offset: int
    size: int
    etag: str
    modified: float
    document: str


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a part is written: `stream` stands at its first byte."""

    stream: BinaryIO
    file: str
    offset: int

    def sync(self) -> None:
        """What is written outlives the machine. Raises OSError."""
        os.fsync(self.stream.fileno())


class Uploads:
    """The uploads of a data folder."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog, self._store = catalog, catalog.store
        with self._store.changing() as db:
            for statement in _SCHEMA.split(";"):
                db.execute(statement)
        catalog.sweep(self._known())

    def _known(self) -> set[str]:
        known = {row["id"] for row in self._store.query("SELECT id FROM uploads")}
        parts = self._store.query("SELECT upload, file FROM parts")
        return known | {f"{row['upload']}/{row['file']}" for row in parts}

    def _folder(self, upload: Upload) -> Path:
        return self._catalog.staging.folder / upload.id

    def create(self, uri: S3Uri, document: str, tags: str) -> Upload:
        """Begin an upload. Raises StoreError for an unknown bucket or a key that can't be."""
        check_key(uri.key)
        behind = self._store.as_folder(uri.bucket)
        if behind:
            behind.path(uri.key)  # raises where there is no such file
        upload = Upload(
            id=uuid.uuid4().hex, uri=uri, created=time.time(), document=document, tags=tags
        )
        with told_by_uri(self._folder(upload), uri):
            self._folder(upload).mkdir()
        values = (upload.id, uri.bucket, uri.key, upload.created, document, tags)
        with self._store.changing() as db:
            db.execute("INSERT INTO uploads VALUES (?, ?, ?, ?, ?, ?, NULL)", values)
        return upload

    def find(self, uri: S3Uri, id_: str) -> Upload | None:
        """The upload of that id, if it is one of this object."""
        rows = self._store.query(
            "SELECT * FROM uploads WHERE id = ? AND bucket = ? AND key = ?",
            id_,
            uri.bucket,
            uri.key,
        )
        return _upload(rows[0]) if rows else None

    def page(self, prefix: S3Uri, key: str, id_: str, limit: int) -> list[Upload]:
        """Uploads behind (`key`, `id_`), or behind all of `key` with an empty `id_`."""
        last = id_ or "\U0010ffff"
        rows = self._store.query(
            "SELECT * FROM uploads WHERE bucket = ? AND (key, id) > (?, ?) AND "
            "substr(key, 1, ?) = ? ORDER BY key, id LIMIT ?",
            prefix.bucket, key, last if key else "", len(prefix.key), prefix.key, limit,
        )  # fmt: skip
        return [_upload(row) for row in rows]

    # parts

    def parts(self, upload: Upload, after: int = 0, limit: int = 10_000) -> list[Part]:
        """Parts in their order."""
        rows = self._store.query(
            "SELECT * FROM parts WHERE upload = ? AND number > ? ORDER BY number LIMIT ?",
            upload.id, after, limit,
        )  # fmt: skip
        return [_part(row) for row in rows]

    @contextmanager
    def place(self, upload: Upload, number: int, size: int | None) -> Iterator[Place]:
        """A place to write a part of `size` bytes at, None for one that isn't known before. What
        is written counts when it is added. Raises OutputError."""
        folder = self._folder(upload)
        if not folder.is_dir():
            raise StoreError(f"Upload {upload.id} of {upload.uri} is no more.")
        with (
            told_by_uri(folder, upload.uri),
            self._catalog.staging.claim(upload.id, number) as mine,
        ):
            offset = self._offset(upload, number, size) if mine and size else None
            if offset is None:
                name = f"{number}-{uuid.uuid4().hex}"
                with (folder / name).open("xb", buffering=0) as own:
                    yield Place(stream=own, file=name, offset=0)
                return
            descriptor = os.open(folder / _SHARED, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
            with os.fdopen(descriptor, "wb", buffering=0) as shared:
                shared.seek(offset)
                yield Place(stream=shared, file=_SHARED, offset=offset)

    def _offset(self, upload: Upload, number: int, size: int) -> int | None:
        with self._store.changing() as db:
            db.execute(
                "UPDATE uploads SET stride = ? WHERE id = ? AND stride IS NULL", (size, upload.id)
            )
            row = db.execute(
                "SELECT u.stride, p.number FROM uploads u LEFT JOIN parts p "
                "ON p.upload = u.id AND p.number = ? WHERE u.id = ?",
                (number, upload.id),
            ).fetchone()
        if row is None or row["number"] is not None or size > row["stride"]:
            return None
        offset: int = (number - 1) * row["stride"]
        return offset if offset < _FARTHEST else None

    def add(self, upload: Upload, part: Part) -> None:
        """The part counts from now on, in place of one of its number. Raises StoreError where the
        upload has gone."""
        values = (upload.id, part.number, part.file, part.offset, part.size, part.etag)
        with self._store.changing() as db:
            if not db.execute("SELECT 1 FROM uploads WHERE id = ?", (upload.id,)).fetchone():
                raise StoreError(f"Upload {upload.id} of {upload.uri} is no more.")
            old = db.execute(
                "SELECT file FROM parts WHERE upload = ? AND number = ?", values[:2]
            ).fetchone()
            db.execute(
                "INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*values, part.modified, part.document),
            )
        if old and old["file"] != _SHARED:
            (self._folder(upload) / old["file"]).unlink(missing_ok=True)

    def discard(self, upload: Upload, place: Place) -> None:
        """Remove the bytes of a part that isn't added. In a shared file they are cut off where
        nothing follows them; elsewhere they stay until the upload ends."""
        path = self._folder(upload) / place.file
        if place.file != _SHARED:
            path.unlink(missing_ok=True)
            return
        with self._catalog.staging.alone(upload.id) as alone:
            if alone and path.exists():
                ends = self._store.query(
                    "SELECT max(offset + size) AS size FROM parts WHERE upload = ? AND file = ?",
                    upload.id, _SHARED,
                )  # fmt: skip
                os.truncate(path, ends[0]["size"] or 0)

    # ends

    def sealed(self, upload: Upload) -> AbstractContextManager[bool]:
        """For as long as the upload is completed: whether what parts share stays as it is."""
        return self._catalog.staging.seal(upload.id)

    def assemble(
        self, upload: Upload, parts: Sequence[Part], incoming: Incoming, *, sealed: bool
    ) -> None:
        """Put the parts together as the file `incoming.path`; they stay what they are until the
        upload is forgotten. Raises OutputError."""
        folder = self._folder(upload)
        with told_by_uri(incoming.final, incoming.uri):
            if sealed and not incoming.is_folder and _are_in_order(parts):
                with (folder / _SHARED).open("r+b", buffering=0) as shared:
                    shared.truncate(sum(part.size for part in parts))
                    os.fsync(shared.fileno())
                os.link(folder / _SHARED, incoming.path)
                return
        with incoming.open() as target:
            for part in parts:
                with (folder / part.file).open("rb", buffering=0) as source:
                    copy_range(source, part.offset, part.size, target)

    def forget(self, upload: Upload, db: sqlite3.Connection) -> None:
        """Remove it from the database, in the caller's transaction. Raises StoreError where
        another has done so."""
        db.execute("DELETE FROM parts WHERE upload = ?", (upload.id,))
        if not db.execute("DELETE FROM uploads WHERE id = ?", (upload.id,)).rowcount:
            raise StoreError(f"Upload {upload.id} of {upload.uri} is no more.")

    def forget_all(self, bucket: str, db: sqlite3.Connection) -> list[Upload]:
        """Remove all of a bucket from the database, in the caller's transaction: for `clean`."""
        rows = db.execute("SELECT * FROM uploads WHERE bucket = ?", (bucket,)).fetchall()
        for row in rows:
            db.execute("DELETE FROM parts WHERE upload = ?", (row["id"],))
        db.execute("DELETE FROM uploads WHERE bucket = ?", (bucket,))
        return [_upload(row) for row in rows]

    def clean(self, upload: Upload) -> None:
        """Remove the files of an upload that is forgotten."""
        shutil.rmtree(self._folder(upload), ignore_errors=True)

    def abort(self, upload: Upload) -> None:
        """Give the upload up."""
        with self._store.changing() as db:
            self.forget(upload, db)
        self.clean(upload)


def _are_in_order(parts: Sequence[Part]) -> bool:
    """Whether the shared file begins with exactly these parts."""
    expected = 0
    for part in parts:
        if part.file != _SHARED or part.offset != expected:
            return False
        expected += part.size
    return bool(parts)


def _upload(row: sqlite3.Row) -> Upload:
    return Upload(
        id=row["id"],
        uri=S3Uri(row["bucket"], row["key"]),
        created=row["created"],
        document=row["document"],
        tags=row["tags"],
    )


def _part(row: sqlite3.Row) -> Part:
    return Part(
        number=row["number"],
        file=row["file"],
        offset=row["offset"],
        size=row["size"],
        etag=row["etag"],
        modified=row["modified"],
        document=row["document"],
    )
