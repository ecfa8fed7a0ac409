"""Object storage in a folder on disk: SQLite for names, one immutable file for each object.

Keys are strings, not paths (`a//b`, `d` beside `d/e` are fine), so names live in SQLite and bytes
in files with names of their own. A file is written under a temporary name, synced, renamed, and
never changed again; overwriting an object makes a new file. So a channel can be a tree of hard
links that no later upload can alter.
"""

from __future__ import annotations

import shutil
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeVar

from sagedock.errors import StoreError
from sagedock.store.database import connect, transaction
from sagedock.store.files import link_or_copy, whole_file
from sagedock.store.folders import FolderBucket, folder_bucket_name
from sagedock.store.protocol import ObjectInfo
from sagedock.store.uri import S3Uri, check_bucket_name, check_key

_SCHEMA = """
CREATE TABLE IF NOT EXISTS buckets (
  name TEXT PRIMARY KEY, created REAL NOT NULL, folder TEXT);
CREATE TABLE IF NOT EXISTS objects (
  bucket TEXT NOT NULL, key TEXT NOT NULL, blob TEXT NOT NULL, size INTEGER NOT NULL,
  etag TEXT NOT NULL, modified REAL NOT NULL, PRIMARY KEY (bucket, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS documents (
  blob TEXT PRIMARY KEY, document TEXT NOT NULL, tags TEXT NOT NULL) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS document_of_deleted AFTER DELETE ON objects
  BEGIN DELETE FROM documents WHERE blob = OLD.blob; END;
CREATE TRIGGER IF NOT EXISTS document_of_replaced AFTER UPDATE OF blob ON objects
  WHEN OLD.blob <> NEW.blob BEGIN DELETE FROM documents WHERE blob = OLD.blob; END;
"""
INSERT_OBJECT = """
INSERT INTO objects VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (bucket, key) DO UPDATE SET
  blob = excluded.blob, size = excluded.size, etag = excluded.etag, modified = excluded.modified
"""
_PAGE = 1000
_T = TypeVar("_T")


class DiskStore:
    """An ObjectStore in `folder`. Several processes may use one folder at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.blobs = folder / "objects"
        self._db = connect(folder, _SCHEMA)
        self.blobs.mkdir(exist_ok=True)
        self._lock = threading.RLock()

    def query(self, sql: str, *values: object) -> list[sqlite3.Row]:
        """Rows of the database that this folder has."""
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    @contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """A write transaction. No bytes of objects are to be moved in it."""
        with self._lock, transaction(self._db) as db:
            yield db

    # buckets

    def create_bucket(self, bucket: str) -> None:
        """Make `bucket`; one that exists is left alone."""
        check_bucket_name(bucket)
        self._add_bucket(bucket, None)

    def folder_bucket(self, folder: Path) -> S3Uri:
        """The URI under which an existing folder of the user's can be named in a request.

        Nothing is copied: the bucket *is* the folder. Objects written to it are files in it.
        """
        resolved = folder.resolve()
        name = folder_bucket_name(resolved)
        self._add_bucket(name, str(resolved))
        return S3Uri(name)

    def _add_bucket(self, bucket: str, folder: str | None) -> None:
        with self._lock:
            self._db.execute(
                "INSERT OR IGNORE INTO buckets VALUES (?, ?, ?)", (bucket, time.time(), folder)
            )

    def has_bucket(self, bucket: str) -> bool:
        """Whether `bucket` is known here."""
        return self._bucket_row(bucket) is not None

    def buckets(self) -> list[str]:
        """Names of all buckets, folders of the user's left out."""
        with self._lock:
            rows = self._db.execute(
                "SELECT name FROM buckets WHERE folder IS NULL ORDER BY name"
            ).fetchall()
        return [row["name"] for row in rows]

    def _bucket_row(self, bucket: str) -> sqlite3.Row | None:
        with self._lock:
            row: sqlite3.Row | None = self._db.execute(
                "SELECT * FROM buckets WHERE name = ?", (bucket,)
            ).fetchone()
        return row

    def as_folder(self, bucket: str) -> FolderBucket | None:
        """The user's folder behind `bucket`, None for an ordinary bucket. Unknown ones raise."""
        row = self._bucket_row(bucket)
        if row is None:
            raise StoreError(
                f"Bucket {bucket!r} is not known on this machine.",
                hint="Upload to it first (sagedock cp FILE s3://BUCKET/KEY); local jobs never "
                "reach for a bucket on AWS by themselves.",
            )
        return FolderBucket(bucket, Path(row["folder"])) if row["folder"] else None

    # reading

    def list(self, prefix: S3Uri) -> Iterator[ObjectInfo]:
        """Objects whose key begins with the *string* `prefix.key` (A3.10), in S3's byte order."""
        behind = self.as_folder(prefix.bucket)
        return behind.list(prefix.key) if behind else self._list_rows(prefix)

    def _list_rows(self, prefix: S3Uri) -> Iterator[ObjectInfo]:
        # Pages by key, so that neither memory nor a read lock grows with the bucket.
        after: tuple[str, str] = (">=", prefix.key)
        while True:
            with self._lock:
                rows = self._db.execute(
                    f"SELECT * FROM objects WHERE bucket = ? AND key {after[0]} ? "
                    "ORDER BY key LIMIT ?",
                    (prefix.bucket, after[1], _PAGE),
                ).fetchall()
            for row in rows:
                if not row["key"].startswith(prefix.key):
                    return
                yield info_of(row)
            if len(rows) < _PAGE:
                return
            after = (">", rows[-1]["key"])

    def head(self, uri: S3Uri) -> ObjectInfo:
        """One object's facts. Raises StoreError for an unknown key."""
        behind = self.as_folder(uri.bucket)
        return behind.head(uri.key) if behind else info_of(self._row(uri))

    def _row(self, uri: S3Uri) -> sqlite3.Row:
        with self._lock:
            row: sqlite3.Row | None = self._db.execute(
                "SELECT * FROM objects WHERE bucket = ? AND key = ?", (uri.bucket, uri.key)
            ).fetchone()
        if row is None:
            raise StoreError(
                f"No object {uri}.", hint=f"See what is there: sagedock ls s3://{uri.bucket}/"
            )
        return row

    def path(self, uri: S3Uri) -> Path:
        """The file that holds the object's bytes: to read, never to change."""
        behind = self.as_folder(uri.bucket)
        return behind.path(uri.key) if behind else self.blobs / self._row(uri)["blob"]

    def open(self, uri: S3Uri) -> BinaryIO:
        """The object's bytes, as they were when opened."""
        return self._use(uri, lambda path: path.open("rb"))

    def _use(self, uri: S3Uri, do: Callable[[Path], _T]) -> _T:
        """`do` with the object's file. Another process may put a new file in its place between
        the look-up and the use: then it is looked up again."""
        path = self.path(uri)
        while True:
            try:
                return do(path)
            except FileNotFoundError:
                now = self.path(uri)
                if now == path:
                    raise
                path = now

    def place(self, info: ObjectInfo, target: Path) -> None:
        """Lay the object down as the file `target`: a hard link, or a copy across file systems."""
        target.parent.mkdir(parents=True, exist_ok=True)
        self._use(info.uri, lambda source: link_or_copy(source, target))

    # writing

    @contextmanager
    def writer(self, uri: S3Uri) -> Iterator[BinaryIO]:
        """A file to write the object into; it appears whole at the end, or not at all.

        Raises OutputError where the disk is full or the folder can't be written.
        """
        check_key(uri.key)
        behind = self.as_folder(uri.bucket)
        final = behind.path(uri.key) if behind else self.new_blob()
        with whole_file(final, uri) as stream:
            yield stream
        if not behind:
            try:
                self._record(uri, final)
            except BaseException:
                final.unlink(missing_ok=True)
                raise

    def put(self, uri: S3Uri, data: bytes) -> None:
        """Write a small object at once."""
        with self.writer(uri) as stream:
            stream.write(data)

    def put_file(self, uri: S3Uri, source: Path) -> None:
        """Copy a file into the store."""
        with source.open("rb") as data, self.writer(uri) as stream:
            shutil.copyfileobj(data, stream, 1 << 20)

    def delete(self, uri: S3Uri) -> None:
        """Remove the object; one that isn't there is no error, as in S3."""
        behind = self.as_folder(uri.bucket)
        if behind:
            behind.path(uri.key).unlink(missing_ok=True)
            return
        with self._lock, transaction(self._db) as db:
            old = db.execute(
                "DELETE FROM objects WHERE bucket = ? AND key = ? RETURNING blob",
                (uri.bucket, uri.key),
            ).fetchone()
        if old:
            (self.blobs / old["blob"]).unlink(missing_ok=True)

    def new_blob(self) -> Path:
        """Where the bytes of a new object are to lie."""
        name = uuid.uuid4().hex
        return self.blobs / name[:2] / name

    def _record(self, uri: S3Uri, blob: Path) -> None:
        """The commit: the row names the new file, then the old file goes."""
        name = str(blob.relative_to(self.blobs))
        size = blob.stat().st_size
        with self._lock, transaction(self._db) as db:
            old = db.execute(
                "SELECT blob FROM objects WHERE bucket = ? AND key = ?", (uri.bucket, uri.key)
            ).fetchone()
            db.execute(
                INSERT_OBJECT, (uri.bucket, uri.key, name, size, f"{blob.name}-1", time.time())
            )
        if old:
            (self.blobs / old["blob"]).unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the database."""
        self._db.close()


def info_of(row: sqlite3.Row) -> ObjectInfo:
    """What a row of `objects` says."""
    return ObjectInfo(
        uri=S3Uri(row["bucket"], row["key"]),
        size=row["size"],
        etag=row["etag"],
        modified=row["modified"],
    )
