"""A job that was launched: wait for it, ask about it, stop it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sagedock.errors import JobFailedError
from sagedock.local.records import Job, Kind, Status
from sagedock.store.disk import DiskStore
from sagedock.store.uri import S3Uri

if TYPE_CHECKING:
    from sagedock.launch.session import Session


@dataclass(frozen=True, kw_only=True)
class Upload:
    """Something a job needs in the store before it starts: bytes, or a file to copy."""

    uri: S3Uri
    source: bytes | Path

    def into(self, store: DiskStore) -> None:
        """Do it."""
        if isinstance(self.source, bytes):
            store.put(self.uri, self.source)
        else:
            store.put_file(self.uri, self.source)


class LaunchedJob:
    """A training or processing job of `session`."""

    def __init__(self, session: Session, kind: Kind, name: str) -> None:
        self._session, self.kind, self.name = session, kind, name

    @property
    def job_name(self) -> str:
        """SDK v2's word for `name`."""
        return self.name

    def describe(self) -> dict[str, Any]:
        """DescribeTrainingJob's or DescribeProcessingJob's answer."""
        client = self._session.sagemaker_client
        if self.kind is Kind.TRAINING:
            return client.describe_training_job(TrainingJobName=self.name)
        return client.describe_processing_job(ProcessingJobName=self.name)

    def wait(self, logs: bool = True) -> None:
        """Wait for the end. Raises JobFailedError with the job's FailureReason if it Failed."""
        job = self._session.attend(self.kind, self.name, logs=logs)
        if job.state.status is Status.FAILED:
            raise JobFailedError(
                f"{self.kind.capitalize()} job {self.name} failed: {job.state.failure_reason}",
                hint=f"Its whole log: sagedock logs {self.name}",
            )

    def stop(self) -> None:
        """StopTrainingJob or StopProcessingJob."""
        client = self._session.sagemaker_client
        if self.kind is Kind.TRAINING:
            client.stop_training_job(TrainingJobName=self.name)
        else:
            client.stop_processing_job(ProcessingJobName=self.name)

    def logs(self) -> list[str]:
        """The lines of the log so far."""
        return self._session.logs(self.name)

    def notes(self) -> tuple[str, ...]:
        """Remarks on the job that the service has no place for."""
        return self._record().state.notes

    def timings(self) -> dict[str, float]:
        """Seconds spent on staging, in the container and on packaging."""
        return timings(self._record())

    def output_uris(self) -> Mapping[str, str]:
        """Of a processing job: output name to URI, local folders as file://."""
        outputs = self._record().request.get("ProcessingOutputConfig", {}).get("Outputs", ())
        return {
            item["OutputName"]: self._session.shown(item["S3Output"]["S3Uri"]) for item in outputs
        }

    def _record(self) -> Job:
        return self._session.sagemaker_client.job(self.kind, self.name)


def timings(job: Job) -> dict[str, float]:
    """Seconds a job spent on staging, in the container and on packaging."""
    return {
        "staging": job.state.seconds_in("Pending", "Starting", "Downloading"),
        "container": job.state.seconds_in("Training", "Stopping"),
        "packaging": job.state.seconds_in("Uploading"),
    }
