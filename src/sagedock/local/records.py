"""What is known of jobs: one table in the SQLite file that all processes share."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from sagedock.errors import ResourceInUseError, ResourceNotFoundError
from sagedock.local.process import Owner
from sagedock.store.database import connect, transaction

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
  kind TEXT NOT NULL, name TEXT NOT NULL, arn TEXT NOT NULL, created REAL NOT NULL,
  status TEXT NOT NULL, request TEXT NOT NULL, state TEXT NOT NULL,
  owner_pid INTEGER, owner_started TEXT, stop_requested INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (kind, name)) WITHOUT ROWID;
"""


class Kind(StrEnum):
    """Kinds of jobs."""

    TRAINING = "training"
    PROCESSING = "processing"
    TRANSFORM = "transform"


class Status(StrEnum):
    """TrainingJobStatus, ProcessingJobStatus."""

    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPING = "Stopping"
    STOPPED = "Stopped"


RUNNING = frozenset({Status.IN_PROGRESS, Status.STOPPING})


@dataclass(frozen=True, kw_only=True)
class Transition:
    """One of SecondaryStatusTransitions; times in seconds since the epoch."""

    status: str
    message: str
    started: float
    ended: float | None = None


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One of FinalMetricDataList."""

    name: str
    value: float
    timestamp: float


@dataclass(frozen=True, kw_only=True)
class JobState:
    """What has become of a job so far. Times in seconds since the epoch."""

    status: Status = Status.IN_PROGRESS
    transitions: tuple[Transition, ...] = ()
    container: str | None = None
    started: float | None = None
    ended: float | None = None
    modified: float = 0.0
    exit_code: int | None = None
    failure_reason: str | None = None
    exit_message: str | None = None
    metrics: tuple[Metric, ...] = ()
    model_artifacts: str | None = None
    notes: tuple[str, ...] = ()

    def enter(self, status: str, message: str, now: float) -> JobState:
        """This state after entering a secondary status; the one before it ends."""
        closed = tuple(
            t if t.ended is not None else replace(t, ended=now) for t in self.transitions
        )
        entered = Transition(status=status, message=message, started=now)
        return replace(self, transitions=(*closed, entered))

    def seconds_in(self, *statuses: str) -> float:
        """Seconds spent in these secondary statuses so far."""
        now = time.time()
        return sum((t.ended or now) - t.started for t in self.transitions if t.status in statuses)

    def timings(self) -> dict[str, float]:
        """Seconds spent on staging, in the container and on packaging."""
        return {
            "staging": self.seconds_in("Pending", "Starting", "Downloading"),
            "container": self.seconds_in("Training", "Stopping"),
            "packaging": self.seconds_in("Uploading"),
        }

    @classmethod
    def from_json(cls, text: str) -> JobState:
        """Read what `to_json` wrote."""
        document = json.loads(text)
        document["status"] = Status(document["status"])
        document["transitions"] = tuple(Transition(**item) for item in document["transitions"])
        document["metrics"] = tuple(Metric(**item) for item in document["metrics"])
        document["notes"] = tuple(document["notes"])
        return cls(**document)

    def to_json(self) -> str:
        return json.dumps(asdict(self))


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job: the request it is, and what has become of it."""

    kind: Kind
    name: str
    arn: str
    created: float
    request: Mapping[str, Any]
    state: JobState = field(default_factory=JobState)
    owner: Owner | None = None

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self.state.status in RUNNING


class Records:
    """Jobs in `folder`'s database. Every change is one transaction."""

    def __init__(self, folder: Path) -> None:
        self._db = connect(folder, _SCHEMA)
        self._lock = threading.RLock()

    def add(self, job: Job) -> None:
        """Remember a new job. Raises ResourceInUseError where the name is taken: until the job is
        deleted."""
        documents = (json.dumps(job.request), job.state.to_json())
        row = (job.kind, job.name, job.arn, job.created, job.state.status, *documents)
        owner = _owner_columns(job.owner)
        try:
            with self._lock:
                self._db.execute(
                    "INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)", (*row, *owner)
                )
        except sqlite3.IntegrityError:
            raise _taken(job) from None

    def refuse_taken(self, kind: Kind, name: str) -> None:
        """Raise ResourceInUseError where the name is taken: before anything is made for the job.
        `add` is what decides; two callers may pass here."""
        with self._lock:
            row = self._db.execute(
                "SELECT * FROM jobs WHERE kind = ? AND name = ?", (kind, name)
            ).fetchone()
        if row:
            raise _taken(_job(row))

    def get(self, kind: Kind, name: str) -> Job:
        """A job by name. Raises ResourceNotFoundError."""
        with self._lock:
            row = self._db.execute(
                "SELECT * FROM jobs WHERE kind = ? AND name = ?", (kind, name)
            ).fetchone()
        if row is None:
            raise ResourceNotFoundError(
                f"No {kind} job is named {name!r} here.", hint="See all of them: sagedock jobs"
            )
        return _job(row)

    def list(self, kind: Kind | None = None, *, running: bool = False) -> list[Job]:
        """Jobs, newest first."""
        query, values = "SELECT * FROM jobs WHERE 1", list[str]()
        if kind is not None:
            query, values = query + " AND kind = ?", [kind]
        if running:
            query += f" AND status IN ('{Status.IN_PROGRESS}', '{Status.STOPPING}')"
        with self._lock:
            rows = self._db.execute(query + " ORDER BY created DESC, name", values).fetchall()
        return [_job(row) for row in rows]

    def update(self, job: Job, change: Callable[[JobState], JobState]) -> Job:
        """Change a job's state; returns the job as it is then."""
        with self._lock, transaction(self._db) as db:
            row = db.execute(
                "SELECT * FROM jobs WHERE kind = ? AND name = ?", (job.kind, job.name)
            ).fetchone()
            state = replace(change(JobState.from_json(row["state"])), modified=time.time())
            db.execute(
                "UPDATE jobs SET state = ?, status = ? WHERE kind = ? AND name = ?",
                (state.to_json(), state.status, job.kind, job.name),
            )
        return replace(_job(row), state=state)

    def change_request(self, job: Job, request: Mapping[str, Any]) -> None:
        """Describe a job as if it had been asked for by `request`."""
        with self._lock:
            self._db.execute(
                "UPDATE jobs SET request = ? WHERE kind = ? AND name = ?",
                (json.dumps(request), job.kind, job.name),
            )

    def delete(self, job: Job) -> bool:
        """Forget a job that has ended; False where it has not, or is not known any more."""
        with self._lock:
            done = self._db.execute(
                "DELETE FROM jobs WHERE kind = ? AND name = ? "
                f"AND status NOT IN ('{Status.IN_PROGRESS}', '{Status.STOPPING}')",
                (job.kind, job.name),
            )
        return done.rowcount == 1

    def claim(self, job: Job, owner: Owner) -> bool:
        """Become the owner, if the job still runs and its owner is the one that `job` names."""
        old_pid, old_started = _owner_columns(job.owner)
        with self._lock:
            done = self._db.execute(
                "UPDATE jobs SET owner_pid = ?, owner_started = ? WHERE kind = ? AND name = ? "
                "AND owner_pid IS ? AND owner_started IS ? "
                f"AND status IN ('{Status.IN_PROGRESS}', '{Status.STOPPING}')",
                (owner.pid, owner.started, job.kind, job.name, old_pid, old_started),
            )
        return done.rowcount == 1

    def request_stop(self, job: Job) -> None:
        """Ask the owner to stop the job."""
        with self._lock:
            self._db.execute(
                "UPDATE jobs SET stop_requested = 1 WHERE kind = ? AND name = ?",
                (job.kind, job.name),
            )

    def stop_requested(self, job: Job) -> bool:
        """Whether somebody asked for the job to be stopped."""
        with self._lock:
            row = self._db.execute(
                "SELECT stop_requested FROM jobs WHERE kind = ? AND name = ?", (job.kind, job.name)
            ).fetchone()
        return bool(row and row["stop_requested"])

    def close(self) -> None:
        """Let go of the database."""
        self._db.close()


def _taken(job: Job) -> ResourceInUseError:
    return ResourceInUseError(
        f"{job.kind.capitalize()} job names must be unique within an AWS account and Region, and "
        f"a {job.kind} job with this name already exists ({job.arn}).",
        hint="Choose another name, or give none: one with the time in it is made.",
    )


def _owner_columns(owner: Owner | None) -> tuple[int | None, str | None]:
    return (owner.pid, owner.started) if owner else (None, None)


def _job(row: sqlite3.Row) -> Job:
    owner = Owner(pid=row["owner_pid"], started=row["owner_started"]) if row["owner_pid"] else None
    return Job(
        kind=Kind(row["kind"]),
        name=row["name"],
        arn=row["arn"],
        created=row["created"],
        request=json.loads(row["request"]),
        state=JobState.from_json(row["state"]),
        owner=owner,
    )
