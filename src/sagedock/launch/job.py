"""A job that was launched: wait for it, ask about it, stop it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sagedock.errors import JobFailedError
from sagedock.launch.place import Ended, Place
from sagedock.launch.upload import Upload
from sagedock.local.records import Kind, Status
from sagedock.requests import Request


class LaunchedJob:
    """A training, processing or transform job of `session`."""

    def __init__(self, session: Place, kind: Kind, name: str) -> None:
        self._session, self.kind, self.name = session, kind, name

    @classmethod
    def find(cls, session: Place, name: str) -> LaunchedJob:
        """A job of any kind by name. Raises ResourceNotFoundError."""
        return cls(session, session.kind_of(name), name)

    @classmethod
    def start(
        cls,
        session: Place,
        kind: Kind,
        request: Request,
        uploads: Sequence[Upload] = (),
        *,
        wait: bool,
    ) -> LaunchedJob:
        """Start the job that `request` is. With `wait` the caller promises to wait for it. Raises
        what the session's `start` raises."""
        session.start(kind, request, uploads, wait=wait)
        return cls(session, kind, request[f"{kind.capitalize()}JobName"])

    @property
    def job_name(self) -> str:
        """SDK v2's word for `name`."""
        return self.name

    def describe(self) -> dict[str, Any]:
        """DescribeTrainingJob's answer, or DescribeProcessingJob's or DescribeTransformJob's."""
        return self._session.describe(self.kind, self.name)

    def attend(self, logs: bool = True) -> Ended:
        """Wait for the end, whatever it is."""
        return self._session.attend(self.kind, self.name, logs=logs)

    def wait(self, logs: bool = True) -> None:
        """Wait for the end. Raises JobFailedError with the job's FailureReason if it Failed. Where
        an interrupt leaves the job running, that is told."""
        try:
            found = self.attend(logs)
        except KeyboardInterrupt:
            self._session.say_left(self.name)
            raise
        if found.status is Status.FAILED:
            raise self.failed(found)

    def failed(self, found: Ended) -> JobFailedError:
        """The error for a job that did not complete."""
        word = f"{self.kind.capitalize()} job {self.name}"
        hint = f"Its whole log: {self._session.logs_command(self.name)}"
        if found.status is Status.FAILED:
            return JobFailedError(f"{word} failed: {found.failure}", hint=hint)
        return JobFailedError(f"{word} did not complete: {found.message}.", hint=hint)

    def stop(self) -> None:
        """StopTrainingJob, or of what kind it is."""
        self._session.stop(self.kind, self.name)

    def logs(self) -> list[str]:
        """The lines of the log so far."""
        return self._session.logs(self.name)

    def notes(self) -> tuple[str, ...]:
        """Remarks on the job that the service has no place for."""
        return self._session.notes(self.kind, self.name)

    def timings(self) -> dict[str, float]:
        """Seconds spent on staging, in the container and on packaging."""
        return self._session.timings(self.kind, self.name)

    def output_uris(self) -> Mapping[str, str]:
        """Of a processing job: output name to URI, local folders as file://."""
        outputs = self.describe().get("ProcessingOutputConfig", {}).get("Outputs", ())
        return {
            item["OutputName"]: self._session.shown(item["S3Output"]["S3Uri"]) for item in outputs
        }
