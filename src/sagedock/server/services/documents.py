"""What the small services remember: documents by kind and name, in one table of the SQLite file
that all processes share. Must not know what is in them.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sagedock.store.database import connect, transaction

_SCHEMA = """
CREATE TABLE IF NOT EXISTS service_documents (
  kind TEXT NOT NULL, name TEXT NOT NULL, document TEXT NOT NULL,
  PRIMARY KEY (kind, name)) WITHOUT ROWID;
"""

Document = dict[str, Any]


class Documents:
    """JSON documents of one service in `folder`'s database, by kind and name."""

    def __init__(self, folder: Path, service: str) -> None:
        self._db = connect(folder, _SCHEMA)
        self._lock = threading.RLock()
        self._service = service

    def get(self, kind: str, name: str) -> Document | None:
        """A document, None where there is none."""
        with self._lock:
            row = self._db.execute(
                "SELECT document FROM service_documents WHERE kind = ? AND name = ?",
                (self._kind(kind), name),
            ).fetchone()
        return json.loads(row["document"]) if row else None

    def put(self, kind: str, name: str, document: Mapping[str, Any]) -> None:
        """Write a document, over an old one if there is one."""
        with self._lock:
            self._db.execute(
                "INSERT OR REPLACE INTO service_documents VALUES (?, ?, ?)",
                (self._kind(kind), name, json.dumps(document)),
            )

    def add(self, kind: str, name: str, document: Mapping[str, Any]) -> bool:
        """Write a document where there is none yet; False where there is one."""
        with self._lock:
            done = self._db.execute(
                "INSERT OR IGNORE INTO service_documents VALUES (?, ?, ?)",
                (self._kind(kind), name, json.dumps(document)),
            )
        return done.rowcount == 1

    def update(
        self, kind: str, name: str, change: Callable[[Document | None], Document | None]
    ) -> Document | None:
        """Change a document in one transaction: `change` gets the old one (None where there is
        none) and returns the new one, None to remove it. What `change` raises changes nothing."""
        with self._lock, transaction(self._db):
            new = change(self.get(kind, name))
            if new is None:
                self.delete(kind, name)
            else:
                self.put(kind, name, new)
        return new

    def delete(self, kind: str, name: str) -> bool:
        """Forget a document; False where there is none."""
        with self._lock:
            done = self._db.execute(
                "DELETE FROM service_documents WHERE kind = ? AND name = ?",
                (self._kind(kind), name),
            )
        return done.rowcount == 1

    def list(self, kind: str, prefix: str = "") -> dict[str, Document]:
        """All documents of a kind whose names begin with `prefix`, by name, sorted."""
        with self._lock:
            rows = self._db.execute(
                "SELECT name, document FROM service_documents "
                "WHERE kind = ? AND name >= ? AND substr(name, 1, ?) = ? "
                "ORDER BY name",
                (self._kind(kind), prefix, len(prefix), prefix),
            ).fetchall()
        return {row["name"]: json.loads(row["document"]) for row in rows}

    def close(self) -> None:
        """Let go of the database."""
        self._db.close()

    def _kind(self, kind: str) -> str:
        return f"{self._service}/{kind}"
