"""What is known of endpoints and their configurations: two tables in the shared SQLite file."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from sagedock.errors import ResourceNotFoundError, ValidationError
from sagedock.local.process import Owner
from sagedock.store.database import connect

_SCHEMA = """
CREATE TABLE IF NOT EXISTS endpoint_configs (
  name TEXT PRIMARY KEY, arn TEXT NOT NULL, created REAL NOT NULL, request TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS endpoints (
  name TEXT PRIMARY KEY, arn TEXT NOT NULL, created REAL NOT NULL, modified REAL NOT NULL,
  status TEXT NOT NULL, config TEXT NOT NULL, failure TEXT, routes TEXT NOT NULL,
  owner_pid INTEGER NOT NULL, owner_started TEXT NOT NULL);
"""


class EndpointStatus(StrEnum):
    """EndpointStatus, as far as endpoints here have it."""

    CREATING = "Creating"
    IN_SERVICE = "InService"
    FAILED = "Failed"
    DELETING = "Deleting"


@dataclass(frozen=True, kw_only=True)
class EndpointConfig:
    """A CreateEndpointConfig request. `created` in seconds since the epoch."""

    name: str
    arn: str
    created: float
    request: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Route:
    """Where a variant's container answers, and the variant's weight."""

    variant: str
    host: str
    port: int
    weight: float


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """An endpoint. `config` is its EndpointConfig's name; times in seconds since the epoch."""

    name: str
    arn: str
    created: float
    modified: float
    status: EndpointStatus
    config: str
    owner: Owner
    failure: str | None = None
    routes: tuple[Route, ...] = ()


class HostingRecords:
    """Endpoints and configurations in `folder`'s database. Every change is one statement."""

    def __init__(self, folder: Path) -> None:
        self._db = connect(folder, _SCHEMA)
        self._lock = threading.RLock()

    # configurations

    def add_config(self, config: EndpointConfig) -> None:
        """Remember a configuration. Raises ValidationError where the name is taken."""
        row = (config.name, config.arn, config.created, json.dumps(config.request))
        self._insert("endpoint_configs", row, f'endpoint configuration "{config.arn}"')

    def config(self, name: str) -> EndpointConfig:
        """A configuration by name. Raises ResourceNotFoundError."""
        row = self._one("endpoint_configs", name)
        if row is None:
            raise ResourceNotFoundError(
                f"Could not find endpoint configuration {name!r}.",
                hint="Create it first: create_endpoint_config(…).",
            )
        return EndpointConfig(
            name=name, arn=row["arn"], created=row["created"], request=json.loads(row["request"])
        )

    def delete_config(self, name: str) -> None:
        """Forget a configuration. Raises ResourceNotFoundError."""
        self.config(name)
        self._do("DELETE FROM endpoint_configs WHERE name = ?", name)

    # endpoints

    def add(self, endpoint: Endpoint) -> None:
        """Remember a new endpoint. Raises ValidationError where the name is taken."""
        times = (endpoint.created, endpoint.modified)
        owner = (endpoint.owner.pid, endpoint.owner.started)
        row = (
            endpoint.name, endpoint.arn, *times, endpoint.status, endpoint.config, None, "[]",
            *owner,
        )  # fmt: skip
        self._insert("endpoints", row, f'endpoint "{endpoint.arn}"')

    def get(self, name: str) -> Endpoint:
        """An endpoint by name. Raises ResourceNotFoundError."""
        row = self._one("endpoints", name)
        if row is None:
            raise ResourceNotFoundError(
                f"Could not find endpoint {name!r}.", hint="See all of them: sagedock endpoints"
            )
        return _endpoint(row)

    def list(self) -> list[Endpoint]:
        """All endpoints, newest first."""
        with self._lock:
            rows = self._db.execute("SELECT * FROM endpoints ORDER BY created DESC").fetchall()
        return [_endpoint(row) for row in rows]

    def in_service(self, name: str, routes: tuple[Route, ...]) -> bool:
        """Creating becomes InService; False where the endpoint is being deleted."""
        return self._turn(name, EndpointStatus.IN_SERVICE, EndpointStatus.CREATING, routes=routes)

    def failed(self, name: str, reason: str) -> bool:
        """Whatever but Deleting becomes Failed, with a FailureReason."""
        return self._turn(
            name,
            EndpointStatus.FAILED,
            EndpointStatus.CREATING,
            EndpointStatus.IN_SERVICE,
            failure=reason,
        )

    def deleting(self, name: str) -> None:
        """Ask the owner to end the endpoint."""
        self._turn(
            name,
            EndpointStatus.DELETING,
            EndpointStatus.CREATING,
            EndpointStatus.IN_SERVICE,
            EndpointStatus.FAILED,
        )

    def _turn(
        self,
        name: str,
        to: EndpointStatus,
        *before: EndpointStatus,
        failure: str | None = None,
        routes: tuple[Route, ...] = (),
    ) -> bool:
        marks = ", ".join("?" * len(before))
        where = f"WHERE name = ? AND status IN ({marks})"
        text = json.dumps([asdict(route) for route in routes])
        return self._do(
            f"UPDATE endpoints SET status = ?, failure = ?, routes = ?, modified = ? {where}",
            to, failure, text, time.time(), name, *before,
        )  # fmt: skip

    def claim(self, endpoint: Endpoint, owner: Owner) -> bool:
        """Become the owner, if the present one is the one that `endpoint` names. What was in
        service has to be made anew: its containers were the former owner's."""
        return self._do(
            "UPDATE endpoints SET owner_pid = ?, owner_started = ?, status = CASE status "
            f"WHEN '{EndpointStatus.IN_SERVICE}' THEN '{EndpointStatus.CREATING}' ELSE status END "
            "WHERE name = ? AND owner_pid = ? AND owner_started = ?",
            owner.pid, owner.started, endpoint.name, endpoint.owner.pid, endpoint.owner.started,
        )  # fmt: skip

    def forget(self, name: str) -> None:
        """The endpoint is gone."""
        self._do("DELETE FROM endpoints WHERE name = ?", name)

    def close(self) -> None:
        """Let go of the database."""
        self._db.close()

    # SQL

    def _one(self, table: str, name: str) -> sqlite3.Row | None:
        with self._lock:
            row: sqlite3.Row | None = self._db.execute(
                f"SELECT * FROM {table} WHERE name = ?", (name,)
            ).fetchone()
        return row

    def _do(self, statement: str, *values: object) -> bool:
        with self._lock:
            return self._db.execute(statement, values).rowcount == 1

    def _insert(self, table: str, row: tuple[object, ...], what: str) -> None:
        marks = ", ".join("?" * len(row))
        try:
            self._do(f"INSERT INTO {table} VALUES ({marks})", *row)
        except sqlite3.IntegrityError:
            raise ValidationError(
                f"Cannot create already existing {what}.",
                hint="Delete it first, or choose another name.",
            ) from None


def _endpoint(row: sqlite3.Row) -> Endpoint:
    return Endpoint(
        name=row["name"],
        arn=row["arn"],
        created=row["created"],
        modified=row["modified"],
        status=EndpointStatus(row["status"]),
        config=row["config"],
        owner=Owner(pid=row["owner_pid"], started=row["owner_started"]),
        failure=row["failure"],
        routes=tuple(Route(**item) for item in json.loads(row["routes"])),
    )
