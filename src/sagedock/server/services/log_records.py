"""Log groups that programs make themselves: what is known of them, and their events, in the SQLite
file that all processes share.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sagedock.server.services.log_events import Event
from sagedock.store.database import connect, transaction

_SCHEMA = """
CREATE TABLE IF NOT EXISTS log_events (
  stream TEXT NOT NULL, position INTEGER NOT NULL, ingested INTEGER NOT NULL, message TEXT NOT NULL,
  PRIMARY KEY (stream, position)) WITHOUT ROWID;
"""
_SHIFT = 20
"""A position is a time in milliseconds and, in these lowest bits, a number among those of it."""

_BATCH = 1000
_LAST = (1 << 63) - 1


class LogRecords:
    """Events of streams in `folder`'s database. A stream's key is any text of its own."""

    def __init__(self, folder: Path) -> None:
        self._db = connect(folder, _SCHEMA)
        self._lock = threading.RLock()

    def append(self, key: str, events: Sequence[tuple[int, str]]) -> None:
        """Add events: times in milliseconds since the epoch, and texts."""
        now = int(time.time() * 1000)
        with self._lock, transaction(self._db) as db:
            for at, message in events:
                first = at << _SHIFT
                row = db.execute(
                    "SELECT max(position) AS last FROM log_events "
                    "WHERE stream = ? AND position BETWEEN ? AND ?",
                    (key, first, first + (1 << _SHIFT) - 1),
                ).fetchone()
                position = first if row["last"] is None else row["last"] + 1
                db.execute(
                    "INSERT INTO log_events VALUES (?, ?, ?, ?)", (key, position, now, message)
                )

    def forward(self, key: str, position: int) -> Iterator[Event]:
        """Events at `position` and after it."""
        while batch := self._rows("position >= ? ORDER BY position", key, min(position, _LAST)):
            yield from batch
            position = batch[-1].end

    def backward(self, key: str, position: int | None) -> Iterator[Event]:
        """Events before `position`, newest first."""
        limit = _LAST if position is None else min(position, _LAST)
        while batch := self._rows("position < ? ORDER BY position DESC", key, limit):
            yield from batch
            limit = batch[-1].start

    def _rows(self, condition: str, key: str, value: int) -> list[Event]:
        with self._lock:
            rows = self._db.execute(
                f"SELECT * FROM log_events WHERE stream = ? AND {condition} LIMIT {_BATCH}",
                (key, value),
            ).fetchall()
        return [_event(row) for row in rows]

    def drop(self, key: str) -> None:
        """Forget a stream's events."""
        with self._lock:
            self._db.execute("DELETE FROM log_events WHERE stream = ?", (key,))

    def drop_before(self, key: str, at: int) -> None:
        """Forget events older than `at`: their time to be kept is over."""
        with self._lock:
            self._db.execute(
                "DELETE FROM log_events WHERE stream = ? AND position < ?", (key, at << _SHIFT)
            )

    def close(self) -> None:
        """Let go of the database."""
        self._db.close()


def _event(row: Any) -> Event:
    position = row["position"]
    return Event(
        at=position >> _SHIFT, ingested=row["ingested"], message=row["message"],
        start=position, end=position + 1,
    )  # fmt: skip


class RecordStream:
    """A stream that a program has made."""

    def __init__(self, records: LogRecords, name: str, key: str, created: int) -> None:
        self.name, self.created = name, created
        self._records, self._key = records, key

    def forward(self, position: int) -> Iterator[Event]:
        return self._records.forward(self._key, position)

    def backward(self, position: int | None) -> Iterator[Event]:
        return self._records.backward(self._key, position)

    def position_of(self, at: int) -> int:
        return max(0, min(at << _SHIFT, _LAST))
