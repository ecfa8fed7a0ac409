"""Asynchronous requests that wait: one table in the shared SQLite file."""

from __future__ import annotations

import sqlite3
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from sagedock.store.database import connect

_SCHEMA = """
CREATE TABLE IF NOT EXISTS async_requests (
  number INTEGER PRIMARY KEY AUTOINCREMENT, endpoint TEXT NOT NULL, inference_id TEXT NOT NULL,
  created REAL NOT NULL, ttl REAL NOT NULL, timeout REAL NOT NULL, input TEXT, body BLOB,
  content_type TEXT, accept TEXT, attributes TEXT, output TEXT NOT NULL, failure TEXT,
  running INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS async_by_endpoint ON async_requests (endpoint, running, number);
"""


@dataclass(frozen=True, kw_only=True)
class AsyncRequest:
    """An InvokeEndpointAsync request: `created` in seconds since the epoch; `ttl` seconds it may
    wait, `timeout` seconds it may take. Its body is `body`, or the object `input`."""

    endpoint: str
    inference_id: str
    created: float
    ttl: float
    timeout: float
    input: str | None
    body: bytes | None
    content_type: str | None
    accept: str | None
    attributes: str | None
    output: str
    failure: str | None
    number: int = 0

    @property
    def is_expired(self) -> bool:
        """Whether it has waited longer than it may."""
        return time.time() - self.created > self.ttl


class AsyncRecords:
    """The requests in `folder`'s database. An endpoint's are taken by its owner alone."""

    def __init__(self, folder: Path) -> None:
        self._db = connect(folder, _SCHEMA)
        self._lock = threading.Lock()

    def add(self, request: AsyncRequest) -> None:
        """Let a request wait."""
        members = {key: value for key, value in vars(request).items() if key != "number"}
        columns, marks = ", ".join(members), ", ".join("?" * len(members))
        self._do(f"INSERT INTO async_requests ({columns}) VALUES ({marks})", *members.values())

    def take(self, endpoint: str, most: int) -> list[AsyncRequest]:
        """The `most` requests that have waited longest; they are running from now on."""
        rows = self._do(
            "UPDATE async_requests SET running = 1 WHERE number IN (SELECT number FROM "
            "async_requests WHERE endpoint = ? AND running = 0 ORDER BY number LIMIT ?) "
            "RETURNING *",
            endpoint, most,
        )  # fmt: skip
        return sorted((_request(row) for row in rows), key=lambda request: request.number)

    def waiting(self, endpoint: str) -> int:
        """How many requests wait."""
        return int(
            self._do(
                "SELECT count(*) FROM async_requests WHERE endpoint = ? AND running = 0", endpoint
            )[0][0]
        )

    def done(self, number: int) -> None:
        """A request has its output, or its failure."""
        self._do("DELETE FROM async_requests WHERE number = ?", number)

    def wait_again(self, endpoint: str) -> None:
        """What an owner that has ended was working on waits again."""
        self._do("UPDATE async_requests SET running = 0 WHERE endpoint = ?", endpoint)

    def forget(self, endpoint: str) -> None:
        """The endpoint is gone, and with it what waited for it."""
        self._do("DELETE FROM async_requests WHERE endpoint = ?", endpoint)

    def close(self) -> None:
        """Let go of the database."""
        self._db.close()

    def _do(self, statement: str, *values: object) -> list[sqlite3.Row]:
        with self._lock:
            return self._db.execute(statement, values).fetchall()


def _request(row: sqlite3.Row) -> AsyncRequest:
    return AsyncRequest(**{key: row[key] for key in row.keys() if key != "running"})  # noqa: SIM118
