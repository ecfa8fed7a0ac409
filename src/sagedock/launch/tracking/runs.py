"""Runs of an MLflow server, by its own client. The only place that imports `mlflow`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, Protocol, TypeVar

from sagedock.errors import UsageError
from sagedock.launch.tracking.facts import JOB, Facts

DEFAULT_EXPERIMENT = "Default"
PATIENCE = 30.0
"""Seconds that a job waits for its tracking server, each time it is asked."""

_METRICS, _PARAMETERS, _TAGS = 1000, 100, 100
"""How many of each one call may hold."""

Answer = TypeVar("Answer")


class Runs(Protocol):
    """What tracking asks of a server."""

    def begin(self, name: str, facts: Facts, parent: str | None) -> str:
        """A new run; its id."""

    def find(self, arn: str) -> str | None:
        """The run of a job."""

    def add(self, run: str, facts: Facts) -> None:
        """Log to a run, and end it where the facts have a status."""


class TrackingError(Exception):
    """The server could not be asked; the text says why."""


def require(uri: str) -> None:
    """Raise UsageError where what speaks to `uri` is not installed."""
    needed = ["mlflow", "sagemaker_mlflow"] if uri.startswith("arn:") else ["mlflow"]
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"Tracking at {uri} needs {' and '.join(missing)}.",
            hint="pip install 'sagedock[mlflow]'",
        )


class MlflowRuns:
    """Runs of the experiment `experiment` (made when first needed) at the tracking URI `uri`. Each
    call takes `patience` seconds at most. SageMaker's server, an ARN, is asked by `boto_session`
    (None: as the environment says). Raises TrackingError."""

    def __init__(
        self,
        uri: str,
        experiment: str | None = None,
        *,
        patience: float = PATIENCE,
        boto_session: Any = None,
    ) -> None:
        self._uri, self._experiment = uri, experiment or DEFAULT_EXPERIMENT
        self._patience, self._boto_session = patience, boto_session

    def begin(self, name: str, facts: Facts, parent: str | None) -> str:
        """A new run, nested in `parent` where there is one."""
        tags = {**facts.tags, **({"mlflow.parentRunId": parent} if parent else {})}

        def call() -> str:
            client = self._client()
            made = client.create_run(self._experiment_id(client), tags=tags, run_name=name)
            run: str = made.info.run_id
            _log(client, run, facts)
            return run

        return self._within(call)

    def find(self, arn: str) -> str | None:
        """The latest run with the job's tag."""

        def call() -> str | None:
            client = self._client()
            found = client.search_runs(
                [self._experiment_id(client)], f"tags.`{JOB}` = '{arn}'", max_results=1
            )
            return found[0].info.run_id if found else None

        return self._within(call)

    def add(self, run: str, facts: Facts) -> None:
        """Log, then end the run where the facts have a status."""

        def call() -> None:
            client = self._client()
            tags = [_entity("RunTag", name, text) for name, text in facts.tags.items()]
            for some in _parts(tags, _TAGS):
                client.log_batch(run, tags=some)
            _log(client, run, facts)
            if facts.status:
                with _silence():
                    client.set_terminated(run, facts.status, facts.ended)

        self._within(call)

    @contextmanager
    def _signing(self) -> Iterator[None]:
        """Who signs what goes to SageMaker's server. Its plugin signs for the URI that is the
        process's own, whatever the client's is."""
        if not self._uri.startswith("arn:"):
            yield
            return
        import mlflow
        from sagemaker_mlflow.session import use_session

        before = mlflow.get_tracking_uri() if mlflow.is_tracking_uri_set() else None
        mlflow.set_tracking_uri(self._uri)
        try:
            with use_session(self._boto_session):
                yield
        finally:
            mlflow.set_tracking_uri(before)

    def _client(self) -> Any:
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=self._uri)

    def _experiment_id(self, client: Any) -> str:
        found = client.get_experiment_by_name(self._experiment)
        made: str = found.experiment_id if found else client.create_experiment(self._experiment)
        return made

    def _within(self, call: Callable[[], Answer]) -> Answer:
        """In a thread of its own: the client tries again for minutes, as the environment says."""
        import mlflow  # noqa: F401 - seconds that are none of the server's

        answers: list[Answer] = []
        failures: list[Exception] = []

        def run() -> None:
            try:
                with self._signing():
                    answers.append(call())
            except Exception as error:
                failures.append(error)

        thread = threading.Thread(target=run, daemon=True, name="mlflow")
        thread.start()
        thread.join(self._patience)
        if answers:
            return answers[0]
        if failures:
            raise TrackingError(_first_line(failures[0])) from failures[0]
        raise TrackingError(f"no answer within {self._patience:g} s")


@contextmanager
def _silence() -> Iterator[None]:
    """MLflow prints a run's address to standard output, where our answers go."""
    from mlflow.environment_variables import MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT as SILENT

    before = SILENT.get_raw()
    SILENT.set(True)
    try:
        yield
    finally:
        _ = SILENT.unset() if before is None else SILENT.set(before)


def _log(client: Any, run: str, facts: Facts) -> None:
    parameters = [_entity("Param", name, text) for name, text in facts.parameters.items()]
    for some in _parts(parameters, _PARAMETERS):
        client.log_batch(run, params=some)
    points = [_entity("Metric", p.name, p.value, p.timestamp, p.step) for p in facts.points]
    for some in _parts(points, _METRICS):
        client.log_batch(run, metrics=some)


def _entity(kind: str, *members: Any) -> Any:
    from mlflow import entities

    return getattr(entities, kind)(*members)


def _parts(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {text[0][:500]}"
