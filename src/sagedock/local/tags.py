"""Tags of whatever has an ARN: one table in the shared SQLite file."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from sagedock.errors import ValidationError
from sagedock.store.database import connect, transaction

_SCHEMA = """
CREATE TABLE IF NOT EXISTS tags (
  arn TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (arn, key));
"""
LIMIT = 50
"""Tags that one resource may have."""

Tag = Mapping[str, str]


class TagRecords:
    """Tags in `folder`'s database."""

    def __init__(self, folder: Path) -> None:
        self._db = connect(folder, _SCHEMA)
        self._lock = threading.RLock()

    def list(self, arn: str) -> list[dict[str, str]]:
        """The tags of a resource, by key."""
        with self._lock:
            rows = self._db.execute("SELECT * FROM tags WHERE arn = ? ORDER BY key", (arn,))
            return [{"Key": row["key"], "Value": row["value"]} for row in rows]

    def put(self, arn: str, tags: Iterable[Tag]) -> Sequence[dict[str, str]]:
        """Add tags, or give them other values; all of them afterwards. Raises ValidationError
        where there would be too many."""
        with self._lock, transaction(self._db) as db:
            db.executemany(
                "INSERT OR REPLACE INTO tags VALUES (?, ?, ?)",
                [(arn, tag["Key"], tag["Value"]) for tag in tags],
            )
            count = db.execute("SELECT COUNT(*) FROM tags WHERE arn = ?", (arn,)).fetchone()[0]
            if count > LIMIT:
                raise ValidationError(f"{arn} would have {count} tags: at most {LIMIT} are taken.")
        return self.list(arn)

    def delete(self, arn: str, keys: Iterable[str]) -> None:
        """Take tags away; one that isn't there is no error."""
        with self._lock:
            self._db.executemany(
                "DELETE FROM tags WHERE arn = ? AND key = ?", [(arn, key) for key in keys]
            )

    def forget(self, arn: str) -> None:
        """The resource is gone."""
        with self._lock:
            self._db.execute("DELETE FROM tags WHERE arn = ?", (arn,))

    def close(self) -> None:
        """Let go of the database."""
        self._db.close()
