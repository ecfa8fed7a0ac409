"""What is known of endpoints and their configurations: two tables in the shared SQLite file."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from sagedock.errors import ResourceNotFoundError, ValidationError
from sagedock.local.hosting.values import (
    Endpoint,
    EndpointConfig,
    EndpointStatus,
    Hop,
    Route,
    Update,
)
from sagedock.local.process import Owner
from sagedock.store.database import connect

_SCHEMA = """
CREATE TABLE IF NOT EXISTS endpoint_configs (
  name TEXT PRIMARY KEY, arn TEXT NOT NULL, created REAL NOT NULL, request TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS hosted_endpoints (
  name TEXT PRIMARY KEY, arn TEXT NOT NULL, created REAL NOT NULL, modified REAL NOT NULL,
  status TEXT NOT NULL, config TEXT NOT NULL, request TEXT NOT NULL, weights TEXT NOT NULL,
  pending TEXT, failure TEXT, routes TEXT NOT NULL,
  owner_pid INTEGER NOT NULL, owner_started TEXT NOT NULL);
"""
_CACHED = 64


class HostingRecords:
    """Endpoints and configurations in `folder`'s database. Every change is one statement; those
    that turn a status say whether the endpoint was in a status to be turned."""

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
        return _config(row)

    def configs(self) -> list[EndpointConfig]:
        """All configurations, newest first."""
        return [_config(row) for row in self._all("endpoint_configs")]

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
            endpoint.name, endpoint.arn, *times, endpoint.status, endpoint.config,
            json.dumps(endpoint.request), "{}", None, None, "[]", *owner,
        )  # fmt: skip
        self._insert("hosted_endpoints", row, f'endpoint "{endpoint.arn}"')

    def get(self, name: str) -> Endpoint:
        """An endpoint by name. Raises ResourceNotFoundError."""
        row = self._one("hosted_endpoints", name)
        if row is None:
            raise ResourceNotFoundError(
                f"Could not find endpoint {name!r}.", hint="See all of them: sagedock endpoints"
            )
        return _endpoint(row)

    def list(self) -> list[Endpoint]:
        """All endpoints, newest first."""
        return [_endpoint(row) for row in self._all("hosted_endpoints")]

    def in_service(self, name: str, routes: tuple[Route, ...]) -> bool:
        """Creating becomes InService."""
        return self._turn(
            name, EndpointStatus.IN_SERVICE, EndpointStatus.CREATING,
            failure=None, routes=_text(routes),
        )  # fmt: skip

    def reroute(self, name: str, routes: tuple[Route, ...]) -> bool:
        """The endpoint answers elsewhere now, in whatever status."""
        return self._do(
            "UPDATE hosted_endpoints SET routes = ? WHERE name = ?", _text(routes), name
        )

    def failed(self, name: str, reason: str) -> bool:
        """Whatever but Deleting becomes Failed, with a FailureReason, and answers no more."""
        before = set(EndpointStatus) - {EndpointStatus.DELETING, EndpointStatus.FAILED}
        return self._turn(
            name, EndpointStatus.FAILED, *before, failure=reason, routes="[]", pending=None
        )

    def deleting(self, name: str) -> bool:
        """Ask the owner to end the endpoint."""
        before = set(EndpointStatus) - {EndpointStatus.DELETING}
        return self._turn(name, EndpointStatus.DELETING, *before, routes="[]")

    # updates

    def ask_update(self, name: str, update: Update) -> bool:
        """InService becomes Updating: the owner is asked to go to another configuration."""
        return self._turn(
            name, EndpointStatus.UPDATING, EndpointStatus.IN_SERVICE,
            failure=None, pending=json.dumps(asdict(update)),
        )  # fmt: skip

    def ask_capacities(
        self, name: str, request: Mapping[str, Any], weights: Mapping[str, float]
    ) -> bool:
        """InService becomes Updating: the owner is asked for other instance counts (those of
        `request`) and weights."""
        return self._turn(
            name, EndpointStatus.UPDATING, EndpointStatus.IN_SERVICE,
            failure=None, request=json.dumps(request), weights=json.dumps(weights),
        )  # fmt: skip

    def updated(self, name: str, update: Update | None, routes: tuple[Route, ...]) -> bool:
        """Updating becomes InService, with the configuration that `update` asked for."""
        news = (
            {"config": update.config, "request": json.dumps(update.request), "weights": "{}"}
            if update
            else {}
        )
        return self._turn(
            name, EndpointStatus.IN_SERVICE, EndpointStatus.UPDATING,
            pending=None, routes=_text(routes), **news,
        )  # fmt: skip

    def rolling_back(self, name: str, reason: str) -> bool:
        """Updating becomes RollingBack, with a FailureReason."""
        return self._turn(
            name, EndpointStatus.ROLLING_BACK, EndpointStatus.UPDATING, failure=reason
        )

    def rolled_back(self, name: str, routes: tuple[Route, ...]) -> bool:
        """RollingBack becomes InService as it was; the FailureReason stays to be read."""
        return self._turn(
            name, EndpointStatus.IN_SERVICE, EndpointStatus.ROLLING_BACK,
            pending=None, routes=_text(routes),
        )  # fmt: skip

    def _turn(
        self, name: str, to: EndpointStatus, *before: EndpointStatus, **columns: str | None
    ) -> bool:
        changes = {"status": to, "modified": time.time(), **columns}
        assigned = ", ".join(f"{column} = ?" for column in changes)
        marks = ", ".join("?" * len(before))
        return self._do(
            f"UPDATE hosted_endpoints SET {assigned} WHERE name = ? AND status IN ({marks})",
            *changes.values(), name, *before,
        )  # fmt: skip

    def claim(self, endpoint: Endpoint, owner: Owner) -> bool:
        """Become the owner, if the present one is the one that `endpoint` names. What was in
        service has to be made anew: its containers were the former owner's."""
        return self._do(
            "UPDATE hosted_endpoints SET owner_pid = ?, owner_started = ?, routes = '[]', "
            f"status = CASE status WHEN '{EndpointStatus.IN_SERVICE}' "
            f"THEN '{EndpointStatus.CREATING}' ELSE status END "
            "WHERE name = ? AND owner_pid = ? AND owner_started = ?",
            owner.pid, owner.started, endpoint.name, endpoint.owner.pid, endpoint.owner.started,
        )  # fmt: skip

    def forget(self, name: str) -> None:
        """The endpoint is gone."""
        self._do("DELETE FROM hosted_endpoints WHERE name = ?", name)

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

    def _all(self, table: str) -> Sequence[sqlite3.Row]:
        with self._lock:
            return self._db.execute(f"SELECT * FROM {table} ORDER BY created DESC").fetchall()

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


def _config(row: sqlite3.Row) -> EndpointConfig:
    return EndpointConfig(
        name=row["name"], arn=row["arn"], created=row["created"], request=json.loads(row["request"])
    )


def _endpoint(row: sqlite3.Row) -> Endpoint:
    return Endpoint(
        name=row["name"],
        arn=row["arn"],
        created=row["created"],
        modified=row["modified"],
        status=EndpointStatus(row["status"]),
        config=row["config"],
        request=_request(row["request"]),
        owner=Owner(pid=row["owner_pid"], started=row["owner_started"]),
        failure=row["failure"],
        routes=_routes(row["routes"]),
        weights=json.loads(row["weights"]),
        update=Update(**json.loads(row["pending"])) if row["pending"] else None,
    )


# Every invocation reads its endpoint's row: the texts that seldom change are read once.


@lru_cache(_CACHED)
def _request(text: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(text)
    return found


@lru_cache(_CACHED)
def _routes(text: str) -> tuple[Route, ...]:
    return tuple(
        Route(**{**item, "hops": tuple(Hop(**hop) for hop in item["hops"])})
        for item in json.loads(text)
    )


def _text(routes: tuple[Route, ...]) -> str:
    return json.dumps([asdict(route) for route in routes])
