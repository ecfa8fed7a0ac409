"""A job that was launched: wait for it, ask about it, stop it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sagedock.errors import JobFailedError
from sagedock.launch.session import Session
from sagedock.local.describe import describe
from sagedock.local.records import Job, Kind, Status


class LaunchedJob:
    """A training or processing job of `session`."""

    def __init__(self, session: Session, kind: Kind, name: str) -> None:
        self._session, self.kind, self.name = session, kind, name

    @classmethod
    def find(cls, session: Session, name: str) -> LaunchedJob:
        """A job of any kind by name. Raises ResourceNotFoundError."""
        return cls(session, session.sagemaker_client.find(name).kind, name)

    @property
    def job_name(self) -> str:
        """SDK v2's word for `name`."""
        return self.name

    def describe(self) -> dict[str, Any]:
        """DescribeTrainingJob's or DescribeProcessingJob's answer."""
        return describe(self._record())

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
        {
            Kind.TRAINING: lambda: client.stop_training_job(TrainingJobName=self.name),
            Kind.PROCESSING: lambda: client.stop_processing_job(ProcessingJobName=self.name),
            Kind.TRANSFORM: lambda: client.stop_transform_job(TransformJobName=self.name),
        }[self.kind]()

    def logs(self) -> list[str]:
        """The lines of the log so far."""
        return self._session.logs(self.name)

    def notes(self) -> tuple[str, ...]:
        """Remarks on the job that the service has no place for."""
        return self._record().state.notes

    def timings(self) -> dict[str, float]:
        """Seconds spent on staging, in the container and on packaging."""
        return self._record().state.timings()

    def output_uris(self) -> Mapping[str, str]:
        """Of a processing job: output name to URI, local folders as file://."""
        outputs = self._record().request.get("ProcessingOutputConfig", {}).get("Outputs", ())
        return {
            item["OutputName"]: self._session.shown(item["S3Output"]["S3Uri"]) for item in outputs
        }

    def _record(self) -> Job:
        return self._session.sagemaker_client.job(self.kind, self.name)
