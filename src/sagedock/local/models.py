"""Models by name: what CreateModel remembers, and the model's files laid down for a container."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagedock.errors import InputError, ResourceNotFoundError, UnsupportedError, ValidationError
from sagedock.local import packing
from sagedock.store.database import connect
from sagedock.store.disk import DiskStore
from sagedock.store.uri import S3Uri

_SCHEMA = """
CREATE TABLE IF NOT EXISTS models (
  name TEXT PRIMARY KEY, arn TEXT NOT NULL, created REAL NOT NULL, request TEXT NOT NULL);
"""
_REFUSED = {
    "Containers": "pipelines of several containers (Containers)",
    "InferenceExecutionConfig": "InferenceExecutionConfig",
    "EnableNetworkIsolation": "network isolation of a model (EnableNetworkIsolation)",
    "VpcConfig": "a VPC of a model (VpcConfig)",
}
_REFUSED_OF_CONTAINER = {
    "ModelDataSource": "uncompressed model data (ModelDataSource)",
    "AdditionalModelDataSources": "additional model data (AdditionalModelDataSources)",
    "ImageConfig": "a private registry (ImageConfig)",
    "InferenceSpecificationName": "an inference specification",
    "ModelPackageName": "a model package (ModelPackageName)",
}


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model: its CreateModel request. `created` in seconds since the epoch."""

    name: str
    arn: str
    created: float
    request: Mapping[str, Any]

    @property
    def container(self) -> Mapping[str, Any]:
        """PrimaryContainer."""
        found: Mapping[str, Any] = self.request["PrimaryContainer"]
        return found


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
    container = request.get("PrimaryContainer", {})
    found = [text for key, text in _REFUSED.items() if request.get(key)]
    found += [text for key, text in _REFUSED_OF_CONTAINER.items() if container.get(key)]
    if container.get("Mode") == "MultiModel":
        found.append("several models in one container (Mode MultiModel)")
    if not container.get("Image"):
        found.append("a model without PrimaryContainer.Image")
    if found:
        raise UnsupportedError(
            f"This model asks for what can't be done here yet: {'; '.join(found)}.",
            hint="Leave it out to use the model here; nothing of a request is ignored silently.",
        )
    return Model(name=request["ModelName"], arn=arn, created=time.time(), request=request)


def describe(model: Model) -> dict[str, Any]:
    """DescribeModel's answer."""
    from datetime import UTC, datetime

    return {
        "ModelName": model.name,
        "ModelArn": model.arn,
        "CreationTime": datetime.fromtimestamp(model.created, UTC),
        "PrimaryContainer": {"Mode": "SingleModel", "Environment": {}, **model.container},
        "EnableNetworkIsolation": model.request.get("EnableNetworkIsolation", False),
        "DeploymentRecommendation": {
            "RecommendationStatus": "NOT_APPLICABLE",
            "RealTimeInferenceRecommendations": [],
        },
        **{
            key: model.request[key]
            for key in ("ExecutionRoleArn", "VpcConfig")
            if model.request.get(key)
        },
    }


def summary(model: Model) -> dict[str, Any]:
    """One entry of ListModels' answer."""
    whole = describe(model)
    return {key: whole[key] for key in ("ModelName", "ModelArn", "CreationTime")}


def check_data(store: DiskStore, model: Mapping[str, Any]) -> None:
    """Raise StoreError or InputError where the model's data is not there, before anything is
    started."""
    uri = model.get("PrimaryContainer", {}).get("ModelDataUrl")
    if uri:
        store.head(S3Uri.parse(uri))


def lay(store: DiskStore, model: Model, folder: Path) -> Path | None:
    """Unpack model.tar.gz into `folder` (D2.1); None for a model without data (D2.4).

    Raises InputError for what is no tar.gz, and for links in it (D2.2).
    """
    uri = model.container.get("ModelDataUrl")
    if not uri:
        return None
    place = S3Uri.parse(uri)
    if not place.key.endswith(".tar.gz"):
        raise InputError(
            f"Model {model.name!r}: {uri} is no .tar.gz (D2.1).",
            hint="Pack the model as a gzip tar with its files at the root: model.tar.gz.",
        )
    with store.open(place) as archive:
        packing.unpack(archive, uri, folder)
    return folder
