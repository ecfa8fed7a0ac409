"""Metric values that programs put in, in the SQLite file that all processes share.

A sample is a number of values at one time by their sum, least and greatest: one value, or what a
program has summed up itself.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sagedock.store.database import connect, transaction

_SCHEMA = """
CREATE TABLE IF NOT EXISTS metric_series (
  series INTEGER PRIMARY KEY, namespace TEXT NOT NULL, name TEXT NOT NULL,
  dimensions TEXT NOT NULL, latest REAL NOT NULL, UNIQUE (namespace, name, dimensions));
CREATE TABLE IF NOT EXISTS metric_samples (
  series INTEGER NOT NULL, at REAL NOT NULL, unit TEXT NOT NULL,
  number REAL NOT NULL, total REAL NOT NULL, least REAL NOT NULL, greatest REAL NOT NULL);
CREATE INDEX IF NOT EXISTS metric_samples_by_time ON metric_samples (series, at);
"""

Dimensions = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Series:
    """A metric: its dimensions are sorted by name."""

    namespace: str
    name: str
    dimensions: Dimensions = ()


@dataclass(frozen=True, kw_only=True)
class Sample:
    """`number` values at a time, in seconds since the epoch."""

    at: float
    unit: str
    number: float
    total: float
    least: float
    greatest: float

    @classmethod
    def of(cls, value: float, at: float, *, unit: str = "None", number: float = 1.0) -> Sample:
        """The same value, `number` times."""
        return cls(
            at=at, unit=unit, number=number, total=value * number, least=value, greatest=value
        )


class MetricRecords:
    """Samples in `folder`'s database."""

    def __init__(self, folder: Path) -> None:
        self._db = connect(folder, _SCHEMA)
        self._lock = threading.RLock()

    def add(self, samples: Iterable[tuple[Series, Sample]]) -> None:
        """Remember samples: all of them or none."""
        with self._lock, transaction(self._db):
            for series, sample in samples:
                self._add(series, sample)

    def _add(self, series: Series, sample: Sample) -> None:
        row = self._db.execute(
            "INSERT INTO metric_series (namespace, name, dimensions, latest) VALUES (?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET latest = max(latest, excluded.latest) RETURNING series",
            (*_key(series), sample.at),
        ).fetchone()
        self._db.execute(
            "INSERT INTO metric_samples VALUES (?, ?, ?, ?, ?, ?, ?)",
            (row["series"], sample.at, sample.unit, sample.number, sample.total, sample.least,
             sample.greatest),
        )  # fmt: skip

    def between(self, series: Series, start: float, end: float) -> list[Sample]:
        """Samples from `start` on and before `end`, in the order of their times."""
        with self._lock:
            rows = self._db.execute(
                "SELECT metric_samples.* FROM metric_samples JOIN metric_series USING (series) "
                "WHERE namespace = ? AND name = ? AND dimensions = ? AND at >= ? AND at < ? "
                "ORDER BY at",
                (*_key(series), start, end),
            ).fetchall()
        names = ("at", "unit", "number", "total", "least", "greatest")
        return [Sample(**{name: row[name] for name in names}) for row in rows]

    def series(self, since: float = 0.0) -> Sequence[Series]:
        """All metrics that have a sample of the time `since` or later."""
        with self._lock:
            rows = self._db.execute(
                "SELECT * FROM metric_series WHERE latest >= ? "
                "ORDER BY namespace, name, dimensions",
                (since,),
            ).fetchall()
        return [
            Series(
                namespace=row["namespace"],
                name=row["name"],
                dimensions=tuple((name, value) for name, value in json.loads(row["dimensions"])),
            )
            for row in rows
        ]

    def close(self) -> None:
        """Let go of the database."""
        self._db.close()


def _key(series: Series) -> tuple[str, str, str]:
    return series.namespace, series.name, json.dumps(series.dimensions)
