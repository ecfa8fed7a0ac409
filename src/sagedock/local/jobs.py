"""What all kinds of jobs have in common: they are made, owned, followed, listed and stopped.

Creating one validates, checks that the image is there, remembers the job and returns; a process of
its own runs it. Whoever means to wait says so (`attended=True`) and calls `attend`, which runs the
job in the calling thread: no other process, no polling.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sagedock import requests
from sagedock.contract.names import Place
from sagedock.engine.docker import Engine
from sagedock.engine.plan import LogLine
from sagedock.errors import ResourceInUseError, ValidationError
from sagedock.local import image_names, joblog, owner, support
from sagedock.local.describe import Answer, summary
from sagedock.local.execution import Execution, Listener, Workshop
from sagedock.local.image_names import USES
from sagedock.local.listing import Listing
from sagedock.local.models import ModelRecords
from sagedock.local.process import Owner
from sagedock.local.records import Job, JobState, Kind, Records, Status, Transition
from sagedock.local.settings import LocalSettings
from sagedock.local.tags import TagRecords
from sagedock.local.transform.execution import TransformExecution
from sagedock.store.disk import DiskStore
from sagedock.store.uri import S3Uri

_LOOK_SECONDS = 0.1
_PARTING_SECONDS = 5.0
"""What the owner of a job that has ended may take to end, too."""


class JobService:
    """Jobs on this machine.

    `settings` default to the environment's. `attended`: jobs wait for `attend` instead of being
    run by a process of their own. `engine` is found when first needed.
    """

    def __init__(
        self,
        settings: LocalSettings | None = None,
        *,
        attended: bool = False,
        engine: Callable[[], Engine] = Engine.connect,
    ) -> None:
        self.settings = settings or LocalSettings.from_environment()
        self.store = DiskStore(self.settings.data)
        self._records = Records(self.settings.data)
        self._models = ModelRecords(self.settings.data)
        self._tags = TagRecords(self.settings.data)
        self._place = Place(region=self.settings.region, account=self.settings.account)
        self._attended = attended
        self._waiting: set[tuple[Kind, str]] = set()
        self._connect = engine
        self._engine: Engine | None = None

    # Beside the API: what a caller on the same machine can do

    def attend(self, kind: Kind, name: str, listener: Listener | None = None) -> Job:
        """See a job through to its end; returns it as it ended.

        An attended job is run here, in this thread. A job of another owner is followed. Ctrl-C
        stops the job in both cases, then raises KeyboardInterrupt.
        """
        job = self.job(kind, name)
        if (kind, name) in self._waiting:
            self._waiting.discard((kind, name))
            return self._execution(job, listener).run()
        return self._follow(job, listener)

    def take_over(self, kind: Kind, name: str, giver: Owner) -> None:
        """Become the owner of a job that `giver` (alive or dead) has left to this process, and
        run it. Does nothing where the job has ended or a third process was faster."""
        job = replace(self._records.get(kind, name), owner=giver)
        if self._records.claim(job, Owner.me()):
            self._execution(self._records.get(kind, name)).run()

    def job(self, kind: Kind, name: str) -> Job:
        """A job's record; one that lost its owner gets a new one first."""
        return self._adopted(self._records.get(kind, name))

    def refuse_taken(self, kind: Kind, name: str) -> None:
        """Raise ResourceInUseError where a job of that kind and name exists."""
        self._records.refuse_taken(kind, name)

    def jobs(self, kind: Kind | None = None) -> list[Job]:
        """All jobs, newest first."""
        return [self._adopted(job) for job in self._records.list(kind)]

    def find(self, name: str) -> Job:
        """A job of any kind by name. Raises ResourceNotFoundError."""
        jobs = [job for job in self._records.list() if job.name == name]
        return self._adopted(jobs[0]) if jobs else self._records.get(Kind.TRAINING, name)

    def logs(self, job: Job) -> list[LogLine]:
        """The job's log so far."""
        return joblog.read(self._log_path(job))

    def follow_logs(self, job: Job) -> Iterator[LogLine]:
        """The job's log, line by line, until the job ends."""
        return joblog.follow(
            self._log_path(job), lambda: not self.job(job.kind, job.name).is_running
        )

    def close(self) -> None:
        """Let go of the engine and the database."""
        if self._engine:
            self._engine.close()
        self._records.close()
        self._models.close()
        self._tags.close()
        self.store.close()

    # making

    def _create(
        self, kind: Kind, name: str, request: Mapping[str, Any], image: str, outputs: list[str]
    ) -> Job:
        support.check(kind, request)
        for uri in outputs:
            self._check_writable(uri)
        engine = self._shop().engine
        runs = image_names.here(image, USES[kind], self.settings)
        if engine.image(runs) is None:
            engine.pull(runs)
        now = time.time()
        replaced = image_names.note(image, USES[kind], self.settings)
        job = Job(
            kind=kind,
            name=name,
            arn=self._place.arn(f"{kind}-job", name),
            created=now,
            request=request,
            state=_born(now, replaced, support.notes(request)),
            owner=Owner.me(),
        )
        self._records.add(job)
        self._tags.put(job.arn, request.get("Tags", ()))
        if self._attended:
            self._waiting.add((kind, name))
        else:
            owner.spawn(self.settings, job, self._folder(job) / "runner.log")
        return job

    def _check_writable(self, uri: str) -> None:
        """Find out before an hour of training that the results have nowhere to go."""
        place = S3Uri.parse(uri)
        behind = self.store.as_folder(place.bucket)
        if behind:
            probe = place.join(f".sagedock-{os.getpid()}-{time.monotonic_ns()}")
            with self.store.writer(probe):
                pass
            self.store.delete(probe)

    def _shop(self) -> Workshop:
        self._engine = self._engine or self._connect()
        return Workshop(
            engine=self._engine,
            store=self.store,
            records=self._records,
            models=self._models,
            settings=self.settings,
            data_id=data_id(self.settings.data),
        )

    def _execution(self, job: Job, listener: Listener | None = None) -> Execution:
        make = TransformExecution if job.kind is Kind.TRANSFORM else Execution
        return make(self._shop(), job, listener)

    def _folder(self, job: Job) -> Path:
        return self.settings.data / "jobs" / job.kind / job.name

    def _log_path(self, job: Job) -> Path:
        return self._folder(job) / "logs" / "algo-1.log"

    # following

    def _follow(self, job: Job, listener: Listener | None) -> Job:
        told, looked = len(job.state.transitions) - 1, 0.0
        try:
            for line in self.follow_logs(job):
                if listener:
                    if time.monotonic() - looked > _LOOK_SECONDS:  # not once for each of many lines
                        told, looked = self._tell(job, told, listener), time.monotonic()
                    listener.log(line)
            if listener:
                self._tell(job, told, listener)
        except KeyboardInterrupt:
            with contextlib.suppress(ValidationError):  # it has just ended
                self._stop(job.kind, job.name)
            self._wait(job)
            raise
        return self.job(job.kind, job.name)

    def _tell(self, job: Job, told: int, listener: Listener) -> int:
        """Tell of the secondary statuses entered since; how many have been told of then."""
        now = self._records.get(job.kind, job.name)
        for count in range(told, len(now.state.transitions)):
            entered = now.state.transitions[: count + 1]
            listener.status(replace(now, state=replace(now.state, transitions=entered)))
        return len(now.state.transitions)

    def _wait(self, job: Job) -> None:
        while self.job(job.kind, job.name).is_running:
            time.sleep(0.1)

    def _stop(self, kind: Kind, name: str) -> None:
        job = self.job(kind, name)
        if not job.is_running:
            word = kind.capitalize()
            raise ValidationError(
                f"The request was rejected because the {kind} job is in status {job.state.status}.",
                hint=f"{word} jobs can be stopped while they run.",
            )
        self._records.update(job, lambda s: _asked_to_stop(s, time.time()))
        self._records.request_stop(job)

    def _delete(self, kind: Kind, name: str) -> None:
        """Forget a job that has ended; its name is free then. Its log stays where it is read from
        by its own name, as CloudWatch keeps it."""
        job = self.job(kind, name)
        end = time.monotonic() + _PARTING_SECONDS
        while job.owner and job.owner != Owner.me() and job.owner.is_alive():
            if job.is_running or time.monotonic() > end:  # it says so before it takes its leave
                break
            time.sleep(_LOOK_SECONDS)
        if not self._records.delete(job):
            raise ResourceInUseError(
                f"The {kind} job {name} is in status {self.job(kind, name).state.status}: only "
                "jobs that have ended can be deleted.",
                hint=f"Stop it first: sagedock stop --wait {name}",
            )
        self._tags.forget(job.arn)
        joblog.put_aside(self._log_path(job))
        for path in self._folder(job).iterdir() if self._folder(job).is_dir() else ():
            if path.name != "logs":
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _adopted(self, job: Job) -> Job:
        """A running job whose owner has died gets a new one, which takes its container over."""
        if not job.is_running or (job.owner and job.owner.is_alive()):
            return job
        if self._records.claim(job, Owner.me()):
            owner.spawn(self.settings, job, self._folder(job) / "runner.log")
        return self._records.get(job.kind, job.name)

    def _list(self, operation: str, member: str, kind: Kind, filters: Mapping[str, Any]) -> Answer:
        requests.validate(operation, filters)
        word = f"{kind.capitalize()}Job"
        listing = Listing(member=member, name=f"{word}Name", status=f"{word}Status")
        return listing.page([summary(job) for job in self.jobs(kind)], filters)

    # tags

    def add_tags(self, **request: Any) -> Answer:
        """AddTags. Raises ValidationError."""
        requests.validate("AddTags", request)
        return {"Tags": self._tags.put(request["ResourceArn"], request["Tags"])}

    def list_tags(self, **request: Any) -> Answer:
        """ListTags: all of them in one page, since a resource has at most 50."""
        requests.validate("ListTags", request)
        return {"Tags": self._tags.list(request["ResourceArn"])}

    def delete_tags(self, **request: Any) -> Answer:
        """DeleteTags."""
        requests.validate("DeleteTags", request)
        self._tags.delete(request["ResourceArn"], request["TagKeys"])
        return {}


def data_id(folder: Path) -> str:
    """A short name of a data folder: labels what was started for it."""
    return hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:8]


def _born(now: float, replaced: tuple[str, ...], notes: tuple[str, ...]) -> JobState:
    """`replaced` is said where SDK v2's `fit` prints it, too."""
    text = ". ".join(("The job is about to start", *replaced))
    pending = Transition(status="Pending", message=text, started=now)
    return JobState(modified=now, transitions=(pending,), notes=(*replaced, *notes))


def _asked_to_stop(state: JobState, now: float) -> JobState:
    if state.status is not Status.IN_PROGRESS:
        return state
    return replace(state, status=Status.STOPPING).enter("Stopping", "Stopping the job", now)
