"""Runs one job from its record to its end. Whoever calls this owns the job.

Staging, container, packaging; every step is in the record before it begins, so that another
process can take over where this one ended.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from sagedock.contract import failure
from sagedock.contract.metrics import MetricScanner
from sagedock.contract.paths import ML
from sagedock.engine.container import Container
from sagedock.engine.docker import Engine
from sagedock.engine.plan import ExitState, LogLine, Mount, tar_of
from sagedock.errors import EngineError, JobFailedError, OutputError, SagedockError
from sagedock.local import artifacts, channels, joblog, packing
from sagedock.local.messages import MESSAGES
from sagedock.local.models import Model, ModelRecords
from sagedock.local.plans import (
    HOST,
    JobPlan,
    Surroundings,
    container_name,
    inputs,
    output_paths,
    plan,
)
from sagedock.local.records import Job, JobState, Kind, Metric, Records, Status
from sagedock.local.settings import LocalSettings
from sagedock.local.watch import StopReason, Watcher
from sagedock.store.disk import DiskStore
from sagedock.store.uri import S3Uri

_COMMAND_NOT_FOUND = 127


class Listener(Protocol):
    """Who watches a job while it runs here."""

    def status(self, job: Job) -> None:
        """The job entered another secondary status."""

    def log(self, line: LogLine) -> None:
        """The job's container printed a line."""


@runtime_checkable
class ProgressListener(Listener, Protocol):
    """One who also wants to know how far a job's work is, a few times a second."""

    def progress(self, text: str) -> None:
        """Such as `45 % of 104.9 MB`."""


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """Everything jobs are run with."""

    engine: Engine
    store: DiskStore
    records: Records
    models: ModelRecords
    settings: LocalSettings
    data_id: str

    def folder(self, job: Job) -> Path:
        """The job's own folder: its log for ever, its inputs while it runs."""
        return self.settings.data / "jobs" / job.kind / job.name

    def log_path(self, job: Job) -> Path:
        """The job's log file."""
        return self.folder(job) / "logs" / f"{HOST}.log"


class _StoppedEarlyError(Exception):
    """Somebody asked for a stop before the container was started."""


class Execution:
    """One run of one job. `run` returns the job as it ended."""

    def __init__(self, shop: Workshop, job: Job, listener: Listener | None = None) -> None:
        self._shop, self._job, self._listener = shop, job, listener
        self._keep_container = False
        self._interrupted = False
        self._listeners_error: Exception | None = None

    def run(self) -> Job:
        """Run the job to its end. What the job does wrong ends up in its record as Failed.

        An interrupt (Ctrl-C) stops the job as StopTrainingJob would, a second one kills it; what
        is to be packed is packed, then KeyboardInterrupt is raised. What the listener raises is
        raised when the job has ended.
        """
        container: Container | None = None
        try:
            container = self._started_container()
            self._finish(container, *self._attend(container))
        except SagedockError as error:
            self._fail(error)
        except _StoppedEarlyError:
            self._end(Status.STOPPED, "Stopped")
        except Exception as error:
            # Our own fault. Without an end in the record the job would be taken up again for ever.
            self._end(Status.FAILED, "Failed", f"InternalServerError: {error!r}")
            raise
        except KeyboardInterrupt:
            self._interrupted = True
            self._end(Status.STOPPED, "Stopped")
        finally:
            self._clean(container)
        if self._interrupted:
            raise KeyboardInterrupt
        if self._listeners_error:
            raise self._listeners_error
        return self._job

    # staging

    def _started_container(self) -> Container:
        """The job's container, running: the one that a former owner left, or a new one."""
        name = container_name(self._job, self._shop.data_id)
        left = self._shop.engine.find(name)
        if left and left.was_started():
            return left
        if left:
            left.remove()
        elif self._job.state.container:
            raise JobFailedError(
                f"InternalServerError: container {name} was removed while the job ran."
            )
        return self._start_new()

    def _start_new(self) -> Container:
        self._enter("Starting")
        shutil.rmtree(self._inputs, ignore_errors=True)
        self._enter("Downloading")
        plan = self._plan(self._laid_inputs())
        container = self._shop.engine.create(plan.container)
        try:
            self._fill(container, plan)
            self._heed_stop()
            self._enter("Training")
            self._update(lambda s: replace(s, container=container.id, started=time.time()))
            container.start()
        except BaseException:
            container.remove()
            raise
        return container

    def _heed_stop(self) -> None:
        """A program that has just been started, as PID 1, does not hear a signal yet (A6.2)."""
        if self._shop.records.stop_requested(self._job):
            raise _StoppedEarlyError

    def _laid_inputs(self) -> list[Mount]:
        try:
            return channels.lay(
                self._shop.store, inputs(self._job), self._inputs, output_paths(self._job)
            )
        except OSError as error:
            shutil.rmtree(self._inputs, ignore_errors=True)  # the record of this needs room, too
            raise OutputError(
                f"Inputs can't be laid down in {self._inputs}: {error.strerror}.",
                hint="Free some space, or name another data folder with SAGEDOCK_DATA.",
            ) from error

    def _plan(self, mounts: list[Mount]) -> JobPlan:
        around = Surroundings(
            settings=self._shop.settings,
            data_id=self._shop.data_id,
            machine_memory=self._shop.engine.memory_bytes(),
            model=self._model().request if self._job.kind is Kind.TRANSFORM else None,
        )
        return plan(self._job, mounts, around)

    def _model(self) -> Model:
        """The model of a transform job. Raises ResourceNotFoundError where it was deleted."""
        return self._shop.models.get(self._job.request["ModelName"])

    def _fill(self, container: Container, plan: JobPlan) -> None:
        container.put(tar_of(plan.files))
        for copy in plan.copies:
            container.put(packing.tree_tar(copy.source, copy.target))
        if plan.code:
            with self._shop.store.open(S3Uri.parse(plan.code)) as archive:
                container.put(packing.code_tar(archive, plan.code, ML.code), ML.code)

    @property
    def _inputs(self) -> Path:
        return self._shop.folder(self._job) / "inputs"

    # running

    def _attend(self, container: Container) -> tuple[ExitState, StopReason | None]:
        """Read the log until the container ends, keeping an eye on time and stops."""
        plan = self._plan([])
        path = self._shop.log_path(self._job)
        scanner = MetricScanner(plan.metrics)
        for line in joblog.read(path):  # a former owner's
            scanner.feed(line.text, joblog.seconds(line))
        log = joblog.LogWriter(path)
        started = self._job.state.started or time.time()
        watcher = Watcher(
            container,
            signal=plan.stop_signal,
            grace=plan.grace,
            deadline=time.monotonic() + plan.max_seconds - (time.time() - started),
            stop_requested=lambda: self._shop.records.stop_requested(self._job),
            on_stop=self._stopping,
        )
        try:
            with watcher:
                self._read_log(container, log, scanner, watcher)
                state = self._waited(container, watcher)
        finally:
            log.close()
        notes = (f"The log has a gap: {log.broken.strerror}",) if log.broken else ()
        self._update(lambda s: replace(s, metrics=_metrics(scanner), notes=(*s.notes, *notes)))
        return state, watcher.reason

    def _read_log(
        self, container: Container, log: joblog.LogWriter, scanner: MetricScanner, watcher: Watcher
    ) -> None:
        while True:
            try:
                for line in container.follow(joblog.tail(self._shop.log_path(self._job))):
                    log.write(line)
                    scanner.feed(line.text, joblog.seconds(line))
                    self._tell("log", line)
                return
            except KeyboardInterrupt:
                self._interrupt(watcher)

    def _waited(self, container: Container, watcher: Watcher) -> ExitState:
        while True:
            try:
                return container.wait()
            except KeyboardInterrupt:
                self._interrupt(watcher)

    def _interrupt(self, watcher: Watcher) -> None:
        if self._interrupted:
            watcher.kill()
        self._interrupted = True
        watcher.stop()

    def _stopping(self, reason: StopReason) -> None:
        status = "MaxRuntimeExceeded" if reason is StopReason.MAX_RUNTIME else "Stopping"
        text = MESSAGES[self._job.kind][status]
        self._update(lambda s: _stopping(s, text, time.time()))

    # packaging

    def _finish(self, container: Container, ended: ExitState, reason: StopReason | None) -> None:
        self._update(lambda s: replace(s, exit_code=ended.exit_code))
        self._enter("Uploading")
        ok = ended.exit_code == 0 or reason is not None
        if self._job.kind is Kind.TRAINING:
            self._finish_training(container, ok)
        else:
            self._finish_processing(container, ok)
        if ok:
            self._end_well(reason)
        else:
            self._end_failed(container, ended)

    def _finish_training(self, container: Container, ok: bool) -> None:
        store, request, name = self._shop.store, self._job.request, self._job.name
        try:
            data = artifacts.upload_output_data(store, container, request, name)
            model = artifacts.upload_model(store, container, request, name) if ok else None
        except OutputError as error:
            raise self._kept(container, error, ML.model) from error
        notes = (data.notes if data else ()) + (model.notes if model else ())
        self._update(
            lambda s: replace(
                s, model_artifacts=model.uri if model else None, notes=(*s.notes, *notes)
            )
        )

    def _finish_processing(self, container: Container, ok: bool) -> None:
        message = artifacts.exit_message(container)
        self._update(lambda s: replace(s, exit_message=message and failure.clip(message)))
        if not ok:
            return
        try:
            artifacts.upload_processing(self._shop.store, container, self._job.request)
        except OutputError as error:
            raise self._kept(container, error, ML.processing) from error

    def _kept(self, container: Container, error: OutputError, path: str) -> OutputError:
        """Results that can't be written stay where they are, and the user is told where."""
        self._keep_container = True
        return OutputError(
            f"{error.message} Nothing is lost: the results are kept in container {container.name}.",
            hint=f"{error.hint} Then: docker cp {container.name}:{path} . && "
            f"docker rm -v {container.name}",
        )

    # ends

    def _end_well(self, reason: StopReason | None) -> None:
        if reason is StopReason.MAX_RUNTIME:
            self._end(Status.STOPPED, "MaxRuntimeExceeded")
        elif reason is StopReason.REQUESTED:
            self._end(Status.STOPPED, "Stopped")
        else:
            self._end(Status.COMPLETED, "Completed")

    def _end_failed(self, container: Container, ended: ExitState) -> None:
        if self._job.kind is Kind.PROCESSING:
            reason = failure.processing_reason(ended.exit_code)
        else:
            text = artifacts.failure_text(container)
            if ended.out_of_memory:
                text = failure.compose("The container ran out of memory and was killed.", text)
            reason = failure.training_reason(text, ended.exit_code)
        self._end(Status.FAILED, "Failed", reason)

    def _fail(self, error: SagedockError) -> None:
        if isinstance(error, JobFailedError):
            reason = error.message
        elif isinstance(error, EngineError) and "executable file not found" in error.message:
            program = _program(error.message)
            reason = (
                f"AlgorithmError: the image has no program {program} on its PATH that can be run, "
                f"exit code: {_COMMAND_NOT_FOUND}"
            )
        else:
            reason = f"ClientError: {error}"
        self._end(Status.FAILED, "Failed", reason)

    def _end(self, status: Status, secondary: str, reason: str | None = None) -> None:
        now, text = time.time(), MESSAGES[self._job.kind][secondary]
        clipped = failure.clip(reason) if reason else None
        # Where not even the end can be written, the container is all that is left of the job.
        keep, self._keep_container = self._keep_container, True
        self._update(
            lambda s: replace(s, status=status, ended=now, failure_reason=clipped).enter(
                secondary, text, now
            )
        )
        self._keep_container = keep

    def _enter(self, status: str) -> None:
        self._update(lambda s: s.enter(status, MESSAGES[self._job.kind][status], time.time()))

    def _update(self, change: Callable[[JobState], JobState]) -> None:
        before = self._job.state.transitions
        self._job = self._shop.records.update(self._job, change)
        if self._job.state.transitions != before:
            self._tell("status", self._job)

    def _tell(self, what: Literal["log", "status", "progress"], news: Any) -> None:
        """A listener that fails (a closed pipe, say) is told no more; the job goes on."""
        deaf = what == "progress" and not isinstance(self._listener, ProgressListener)
        if self._listener is None or deaf:
            return
        try:
            getattr(self._listener, what)(news)
        except Exception as error:
            self._listener, self._listeners_error = None, error

    def _clean(self, container: Container | None) -> None:
        """Leave nothing behind; another Ctrl-C is heard, but not before that is done."""
        while True:
            try:
                if container and not self._keep_container:
                    container.remove()
                shutil.rmtree(self._inputs, ignore_errors=True)
                return
            except KeyboardInterrupt:
                self._interrupted = True


def _stopping(state: JobState, text: str, now: float) -> JobState:
    """Whoever asked may have entered Stopping already."""
    if state.status is Status.STOPPING:
        return state
    return replace(state, status=Status.STOPPING).enter("Stopping", text, now)


def _metrics(scanner: MetricScanner) -> tuple[Metric, ...]:
    return tuple(
        Metric(name=item.name, value=item.value, timestamp=item.timestamp)
        for item in scanner.final()
    )


def _program(message: str) -> str:
    """The program's name out of the engine's message: `exec: "train": executable file not…`."""
    return message.partition('exec: "')[2].partition('"')[0] or "of that name"
