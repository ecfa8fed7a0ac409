"""Models by name: what CreateModel remembers."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagedock.errors import ResourceNotFoundError, ValidationError
from sagedock.local import model_data
from sagedock.store.database import connect

_SCHEMA = """
CREATE TABLE IF NOT EXISTS models (
  name TEXT PRIMARY KEY, arn TEXT NOT NULL, created REAL NOT NULL, request TEXT NOT NULL);
"""


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model: its CreateModel request. `created` in seconds since the epoch."""

    name: str
    arn: str
    created: float
    request: Mapping[str, Any]

    @property
    def containers(self) -> tuple[Mapping[str, Any], ...]:
        """PrimaryContainer, or Containers in their order."""
        primary = self.request.get("PrimaryContainer")
        return (primary,) if primary else tuple(self.request["Containers"])

    @property
    def container(self) -> Mapping[str, Any]:
        """The first container."""
        return self.containers[0]

    @property
    def direct(self) -> bool:
        """Whether its containers are asked one by one (InferenceExecutionConfig)."""
        return bool(self.request.get("InferenceExecutionConfig", {}).get("Mode") == "Direct")


class ModelRecords:
    """Models in `folder`'s database."""

    def __init__(self, folder: Path) -> None:
        self._db = connect(folder, _SCHEMA)
        self._lock = threading.RLock()

    def add(self, model: Model) -> None:
        """Remember a model. Raises ValidationError where the name is taken, as the service does."""
        row = (model.name, model.arn, model.created, json.dumps(model.request))
        try:
            with self._lock:
                self._db.execute("INSERT INTO models VALUES (?, ?, ?, ?)", row)
        except sqlite3.IntegrityError:
            raise ValidationError(
                f'Cannot create already existing model "{model.arn}".',
                hint="Delete it first, or choose another name.",
            ) from None

    def get(self, name: str) -> Model:
        """A model by name. Raises ResourceNotFoundError."""
        with self._lock:
            row = self._db.execute("SELECT * FROM models WHERE name = ?", (name,)).fetchone()
        if row is None:
            raise ResourceNotFoundError(
                f"Could not find model {name!r}.", hint="Create it first: create_model(…)."
            )
        return _model(row)

    def list(self) -> list[Model]:
        """All models, newest first."""
        with self._lock:
            rows = self._db.execute("SELECT * FROM models ORDER BY created DESC, name").fetchall()
        return [_model(row) for row in rows]

    def delete(self, name: str) -> None:
        """Forget a model. Raises ResourceNotFoundError."""
        self.get(name)
        with self._lock:
            self._db.execute("DELETE FROM models WHERE name = ?", (name,))

    def close(self) -> None:
        """Let go of the database."""
        self._db.close()


def _model(row: sqlite3.Row) -> Model:
    return Model(
        name=row["name"], arn=row["arn"], created=row["created"], request=json.loads(row["request"])
    )


def new_model(request: Mapping[str, Any], arn: str) -> Model:
    """The model of a valid CreateModel request. Raises UnsupportedError for what can't be done
    here yet."""
    model_data.check(request)
    return Model(name=request["ModelName"], arn=arn, created=time.time(), request=request)


def describe(model: Model) -> dict[str, Any]:
    """DescribeModel's answer."""
    from datetime import UTC, datetime

    return {
        "ModelName": model.name,
        "ModelArn": model.arn,
        "CreationTime": datetime.fromtimestamp(model.created, UTC),
        **_containers(model),
        "EnableNetworkIsolation": model.request.get("EnableNetworkIsolation", False),
        "DeploymentRecommendation": {
            "RecommendationStatus": "NOT_APPLICABLE",
            "RealTimeInferenceRecommendations": [],
        },
        **{
            key: model.request[key]
            for key in ("ExecutionRoleArn", "InferenceExecutionConfig")
            if model.request.get(key)
        },
    }


def _containers(model: Model) -> dict[str, Any]:
    shown = [{"Mode": "SingleModel", "Environment": {}, **item} for item in model.containers]
    return (
        {"PrimaryContainer": shown[0]}
        if "PrimaryContainer" in model.request
        else {"Containers": shown}
    )


def summary(model: Model) -> dict[str, Any]:
    """One entry of ListModels' answer."""
    whole = describe(model)
    return {key: whole[key] for key in ("ModelName", "ModelArn", "CreationTime")}
