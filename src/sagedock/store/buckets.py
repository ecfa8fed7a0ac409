"""Buckets as S3 has them: created when, made and removed, with settings. Must not know HTTP.

A setting is a document of the caller's under a name.
"""

from __future__ import annotations

from dataclasses import dataclass

from sagedock.errors import StoreError
from sagedock.store.disk import DiskStore
from sagedock.store.folders import is_folder_name
from sagedock.store.uploads import Uploads

_SCHEMA = """
CREATE TABLE IF NOT EXISTS bucket_settings (
  bucket TEXT NOT NULL, name TEXT NOT NULL, document TEXT NOT NULL,
  PRIMARY KEY (bucket, name)) WITHOUT ROWID
"""


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """A bucket. `created` is in seconds since the epoch."""

    name: str
    created: float


class NotEmptyError(StoreError):
    """A bucket that holds objects."""


class Buckets:
    """The buckets of `store`, folders of the user's left out of lists."""

    def __init__(self, store: DiskStore, uploads: Uploads) -> None:
        self._store, self._uploads = store, uploads
        with store.changing() as db:
            db.execute(_SCHEMA)

    def all(self) -> list[Bucket]:
        """Buckets by name."""
        rows = self._store.query("SELECT * FROM buckets WHERE folder IS NULL ORDER BY name")
        return [Bucket(name=row["name"], created=row["created"]) for row in rows]

    def create(self, name: str) -> bool:
        """Whether it is a new one. Raises StoreError for a name that can't be, a folder's among
        them."""
        if is_folder_name(name):
            raise StoreError(f"{name!r} is a name for a folder of this machine.")
        is_new = not self._store.has_bucket(name)
        self._store.create_bucket(name)
        return is_new

    def delete(self, name: str) -> None:
        """Remove an empty bucket, its uploads and settings. Raises NotEmptyError; StoreError for
        a folder."""
        if self._store.as_folder(name):
            raise StoreError(f"{name!r} is a folder of this machine: it is not removed from here.")
        with self._store.changing() as db:
            if db.execute("SELECT 1 FROM objects WHERE bucket = ? LIMIT 1", (name,)).fetchone():
                raise NotEmptyError(f"Bucket {name!r} holds objects.")
            begun = self._uploads.forget_all(name, db)
            db.execute("DELETE FROM bucket_settings WHERE bucket = ?", (name,))
            db.execute("DELETE FROM buckets WHERE name = ?", (name,))
        for upload in begun:
            self._uploads.clean(upload)

    def setting(self, bucket: str, name: str) -> str | None:
        """A setting's document, None where it is not set."""
        rows = self._store.query(
            "SELECT document FROM bucket_settings WHERE bucket = ? AND name = ?", bucket, name
        )
        return rows[0]["document"] if rows else None

    def set(self, bucket: str, name: str, document: str | None) -> None:
        """Set it, or with None remove it."""
        with self._store.changing() as db:
            if document is None:
                db.execute(
                    "DELETE FROM bucket_settings WHERE bucket = ? AND name = ?", (bucket, name)
                )
                return
            db.execute(
                "INSERT OR REPLACE INTO bucket_settings VALUES (?, ?, ?)", (bucket, name, document)
            )
