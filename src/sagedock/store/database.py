"""The one SQLite file that processes share. Connections only; tables belong to who uses them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sagedock.errors import OutputError

FILE_NAME = "sagedock.db"
_BUSY_SECONDS = 30.0


def connect(folder: Path, schema: str) -> sqlite3.Connection:
    """Open (and if need be make) the database in `folder`, with the caller's tables in it.

    Raises OutputError where the folder can't be used or the file is no such database.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _opened(folder / FILE_NAME, schema)
    except (OSError, sqlite3.DatabaseError) as error:
        what, reason = (
            ("", error.strerror) if isinstance(error, OSError) else ("database of the ", error)
        )
        raise OutputError(
            f"The {what}data folder {folder} can't be used: {reason}.",
            hint="Name a folder that you may write to, with --data or SAGEDOCK_DATA.",
        ) from error


def _opened(path: Path, schema: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    connection.row_factory = sqlite3.Row
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.executescript(schema)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """One write transaction: taken at once, so that read-then-write is never outrun."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if isinstance(error, sqlite3.OperationalError) and "full" in str(error):
            raise OutputError(
                "Disk full: what is known of objects and jobs can't be written.",
                hint="Free some space where the data folder is (SAGEDOCK_DATA).",
            ) from error
        raise
