"""A session whose jobs are runs of MLflow: it starts and attends as the one behind it does."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from sagedock.errors import SagedockError, UsageError
from sagedock.launch.place import Ended, Place
from sagedock.launch.tracking import facts, runs
from sagedock.launch.tracking.runs import MlflowRuns, Runs, TrackingError
from sagedock.launch.upload import Upload
from sagedock.local.records import RUNNING, Kind
from sagedock.local.settings import mlflow_environment
from sagedock.requests import Request

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Tracking:
    """Where jobs are tracked. `parent` is the run that theirs are nested in; `wished` says that a
    caller named the URI, not the environment."""

    uri: str
    parent: str | None = None
    wished: bool = True


def aloud(text: str) -> None:
    """To standard error, where a job's log does not go."""
    print(text, file=sys.stderr, flush=True)


@cache
def tell_missing(error: str) -> None:
    """Once in a process."""
    aloud(f"MLFLOW_TRACKING_URI is set, but jobs are not tracked. {error}")


def tracked(place: Place, uri: str | None = None, experiment: str | None = None) -> Place:
    """`place`, its jobs tracked at `uri`, else at MLFLOW_TRACKING_URI (in MLFLOW_EXPERIMENT_NAME,
    nested in MLFLOW_RUN_ID); itself where neither is said. Raises UsageError where `uri` needs
    what is not installed."""
    env = mlflow_environment()
    found = uri or env.get("MLFLOW_TRACKING_URI")
    if not found or (uri is None and is_tracked(place)):
        return place
    try:
        runs.require(found)
    except UsageError as error:
        if uri is not None:
            raise
        tell_missing(str(error))
        return place
    name = experiment or env.get("MLFLOW_EXPERIMENT_NAME")
    parent = env.get("MLFLOW_RUN_ID")
    tracking = Tracking(uri=found, parent=parent, wished=uri is not None)
    account = getattr(place, "account", None)  # of a session on AWS
    asking = account.boto_session if account else None
    return at(place, tracking, MlflowRuns(found, name, boto_session=asking))


def at(place: Place, tracking: Tracking, server: Runs, say: Say = aloud) -> Place:
    """`place`, its jobs tracked by `server`."""
    behind = place._place if isinstance(place, _TrackedPlace) else place
    return cast(Place, _TrackedPlace(behind, tracking, server, say))


def is_tracked(place: Place) -> bool:
    """Whether jobs of that session are tracked."""
    return isinstance(place, _TrackedPlace)


def wished_uri(place: Place) -> str | None:
    """The tracking URI that a caller has named for that session."""
    if isinstance(place, _TrackedPlace) and place._tracking.wished:
        return place._tracking.uri
    return None


class _TrackedPlace:
    """In all else the session behind it."""

    def __init__(self, place: Place, tracking: Tracking, server: Runs, say: Say) -> None:
        self._place, self._tracking, self._server = place, tracking, server
        self._runs: dict[tuple[Kind, str], str | None] = {}
        self._say, self._said = say, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._place, name)

    def start(self, kind: Kind, request: Request, uploads: Sequence[Upload], *, wait: bool) -> None:
        """Begin a run, tell the container of it, start the job. A job that can't be started is a
        run that FAILED."""
        name = request[f"{kind.capitalize()}JobName"]
        run = self._asked(lambda: self._server.begin(name, self._of(kind, request), self._parent))
        self._runs[kind, name] = run
        try:
            self._place.start(kind, self._told(kind, request, run), uploads, wait=wait)
        except SagedockError as error:
            tags = {"sagedock.failure_reason": error.message}
            self._add(run, facts.Facts(parameters={}, tags=tags, status="FAILED"))
            raise
        if run is not None:
            self._say(f"MLflow: run {run} at {self._tracking.uri}")
            self._asked(lambda: self._server.add(run, self._begun(kind, name)))

    def attend(self, kind: Kind, name: str, *, logs: bool) -> Ended:
        """As the session behind does; then, where the job has ended, all that is known of it."""
        try:
            return self._place.attend(kind, name, logs=logs)
        finally:
            self._asked(lambda: self.record(kind, name))

    def record(self, kind: Kind, name: str) -> str | None:
        """What is known of a job, to its run; to a new one where it has none. The run's id, None
        for a job that goes on. Raises TrackingError, and what the session's `describe` raises."""
        answer = self._place.describe(kind, name)
        if answer[f"{kind.capitalize()}JobStatus"] in RUNNING:
            return None
        run = self._runs.get((kind, name)) or self._run_of(kind, answer)
        self._server.add(run, facts.of_end(kind, answer, self._place.lines(kind, name)))
        return run

    def _begun(self, kind: Kind, name: str) -> facts.Facts:
        arn = self._place.describe(kind, name)[f"{kind.capitalize()}JobArn"]
        return facts.Facts(parameters={}, tags={facts.JOB: arn})

    @property
    def _parent(self) -> str | None:
        return self._tracking.parent

    @staticmethod
    def _of(kind: Kind, request: Request) -> facts.Facts:
        return facts.of_request(kind, request)

    def _run_of(self, kind: Kind, answer: dict[str, Any]) -> str:
        """The run of a job that another process has begun, or that was begun without."""
        word = kind.capitalize()
        found = self._server.find(answer[f"{word}JobArn"])
        return found or self._server.begin(
            answer[f"{word}JobName"], self._of(kind, answer), self._parent
        )

    def _told(self, kind: Kind, request: Request, run: str | None) -> Request:
        """The request with the variables that `mlflow.start_run()` in a script goes by; the
        caller's own win."""
        usable, why = facts.in_container(self._tracking.uri, kind)
        if run is None or not usable:
            if why:
                self._say(f"MLflow: the container is not told of its run: {why}.")
            return request
        variables = {"MLFLOW_TRACKING_URI": self._tracking.uri, "MLFLOW_RUN_ID": run}
        return {**request, "Environment": {**variables, **request.get("Environment", {})}}

    def _add(self, run: str | None, found: facts.Facts) -> None:
        if run is not None:
            self._asked(lambda: self._server.add(run, found))

    def _asked(self, call: Callable[[], Any]) -> Any:
        """What a call gives, None where the server could not be asked: said once."""
        try:
            return call()
        except (TrackingError, SagedockError) as error:
            if not self._said:
                self._said = True
                self._say(f"MLflow at {self._tracking.uri} does not have all of this job: {error}")
            return None
