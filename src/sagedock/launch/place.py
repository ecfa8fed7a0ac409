"""Where jobs go and where their data lies: what facades ask of it, whichever it is.

`launch.session.Session` is this machine, `launch.aws.session.AwsSession` an account of AWS. Facades
are typed on `Place` and know neither.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from sagedock.contract.names import name_from_base
from sagedock.engine.plan import LogLine
from sagedock.errors import UsageError
from sagedock.launch.upload import Upload
from sagedock.local.records import Kind, Status
from sagedock.requests import Request
from sagedock.store.uri import S3Uri

FILE = "file://"


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a job has ended: its status, the FailureReason of one that Failed, and what the last
    secondary status said."""

    status: Status
    failure: str | None = None
    message: str = ""


class Place(ABC):
    """A session of launching. `sagemaker_client` has the methods, arguments and answers of boto3's
    client; what goes wrong there is one of `sagedock.errors`."""

    sagemaker_client: Any

    # names and places

    @property
    @abstractmethod
    def region(self) -> str:
        """The region that jobs are in."""

    def job_name(self, given: str | None, base: str) -> str:
        """`given`, or a name with the time in it."""
        return given or name_from_base(base, datetime.now(UTC))

    @abstractmethod
    def default_bucket(self) -> str:
        """The bucket for what has no other place; made if missing."""

    def planned_bucket(self) -> str:
        """The default bucket's name for a request: made at the latest when the job starts."""
        return self.default_bucket()

    @abstractmethod
    def role_arn(self, role: str | None) -> str:
        """A role as ARN, from an ARN, a plain name or None."""

    @abstractmethod
    def instance_type(self, given: str | None) -> str:
        """The instance type for a request."""

    @abstractmethod
    def input_uri(self, source: str | Path) -> str:
        """An input as s3:// URI: one that is there, or will be when the job starts."""

    @abstractmethod
    def output_uri(self, target: str | Path | None) -> str:
        """An output prefix as s3:// URI, without a slash at its end."""

    @abstractmethod
    def code_prefix(self, output: str) -> S3Uri:
        """Where code lies that belongs to results below `output`."""

    @abstractmethod
    def shown(self, uri: str) -> str:
        """A URI as the caller knows it."""

    # data

    @abstractmethod
    def upload_data(
        self, path: str | Path, bucket: str | None = None, key_prefix: str = "data"
    ) -> str:
        """Copy a file or folder into a bucket; the URI of the object or prefix."""

    @abstractmethod
    def download_data(self, path: str | Path, bucket: str, key_prefix: str = "") -> list[str]:
        """Copy every object below a prefix into a folder; the paths of the files."""

    @abstractmethod
    def read(self, uri: str) -> bytes:
        """One object's bytes. Raises StoreError."""

    @abstractmethod
    def read_if_there(self, uri: str) -> bytes | None:
        """One object's bytes, None where there is none."""

    @abstractmethod
    def has(self, uri: str) -> bool:
        """Whether an object has that URI, or begins with it. False where one may not look."""

    @abstractmethod
    def put(self, uri: S3Uri, data: bytes) -> None:
        """One object, whole or not at all."""

    @abstractmethod
    def copy(self, source: str | Path, target: S3Uri) -> None:
        """A local file or an object, as the object `target`. Raises InputError, StoreError."""

    @abstractmethod
    def list_uris(self, prefix: S3Uri) -> list[str]:
        """The objects below a prefix."""

    # jobs

    @abstractmethod
    def start(self, kind: Kind, request: Request, uploads: Sequence[Upload], *, wait: bool) -> None:
        """Validate, upload what the job needs, create it. With `wait` the caller promises to
        `attend` the job."""

    @abstractmethod
    def attend(self, kind: Kind, name: str, *, logs: bool) -> Ended:
        """Wait for a job, its log and status going to this session's listener if `logs`."""

    @abstractmethod
    def kind_of(self, name: str) -> Kind:
        """The kind of the job of that name. Raises ResourceNotFoundError."""

    def describe(self, kind: Kind, name: str) -> dict[str, Any]:
        """DescribeTrainingJob's answer, or of what kind the job is. Raises
        ResourceNotFoundError."""
        client = self.sagemaker_client
        found: dict[str, Any] = {
            Kind.TRAINING: lambda: client.describe_training_job(TrainingJobName=name),
            Kind.PROCESSING: lambda: client.describe_processing_job(ProcessingJobName=name),
            Kind.TRANSFORM: lambda: client.describe_transform_job(TransformJobName=name),
        }[kind]()
        return found

    def stop(self, kind: Kind, name: str) -> None:
        """StopTrainingJob, or of what kind the job is. Raises ValidationError where it has
        ended."""
        client = self.sagemaker_client
        {
            Kind.TRAINING: lambda: client.stop_training_job(TrainingJobName=name),
            Kind.PROCESSING: lambda: client.stop_processing_job(ProcessingJobName=name),
            Kind.TRANSFORM: lambda: client.stop_transform_job(TransformJobName=name),
        }[kind]()

    @abstractmethod
    def lines(self, kind: Kind, name: str) -> list[LogLine]:
        """A job's log so far, each line with its time."""

    @abstractmethod
    def logs(self, job_name: str) -> list[str]:
        """The lines of a job's log so far."""

    def logs_command(self, job_name: str) -> str:
        """What shows a job's log at a terminal."""
        return f"sagedock logs {job_name}"

    def follow_command(self, job_name: str) -> str:
        """What goes on showing it."""
        return f"sagedock logs -f {job_name}"

    def stop_command(self, job_name: str) -> str:
        """What stops a job."""
        return f"sagedock stop {job_name}"

    def asks_when_interrupted(self) -> bool:
        """Whether a job goes on when who waits for it is interrupted."""
        return False

    @abstractmethod
    def say_left(self, job_name: str) -> None:
        """Tell the listener that a job goes on which is not waited for any more."""

    @abstractmethod
    def notes(self, kind: Kind, name: str) -> tuple[str, ...]:
        """Remarks on a job that the service has no member for."""

    @abstractmethod
    def timings(self, kind: Kind, name: str) -> dict[str, float]:
        """Seconds that a job spent on staging, in the container and on packaging."""

    def expenses(self, kind: Kind, name: str) -> tuple[str, ...]:
        """What a job has cost so far, as sentences; none where nothing is paid or known."""
        return ()

    # models and endpoints

    @abstractmethod
    def create_model(self, request: Request) -> None:
        """CreateModel, after what it names has been uploaded."""

    @abstractmethod
    def wait_until_in_service(self, name: str) -> None:
        """Until an endpoint is InService. Raises JobFailedError with its FailureReason, also where
        an update was rolled back."""

    @abstractmethod
    def wait_until_gone(self, name: str) -> None:
        """Until an endpoint that is being deleted is gone."""

    @abstractmethod
    def keep(self, name: str) -> None:
        """See that an endpoint which answers later is at work."""

    @abstractmethod
    def runtime(self) -> Any:
        """Calls endpoints: the methods of boto3's sagemaker-runtime client, and `close`."""

    @abstractmethod
    def close(self) -> None:
        """Let go of what is open."""


def place_of(given: Place | None) -> Place:
    """`given`, or this machine where none is."""
    if given is not None:
        return given
    from sagedock.launch.session import Session  # it is a Place itself

    return Session()


def local_path(text: str) -> Path:
    """A plain path or file:// URI as an absolute path. Raises UsageError for another scheme."""
    if text.startswith(FILE):
        text = unquote(urlparse(text).path)
    elif "://" in text:
        raise UsageError(
            f"{text!r} can't be used here: expected a path, file://<path> or s3://<bucket>/<key>."
        )
    return Path(text).expanduser().absolute()


_PLACES = frozenset({
    "S3Uri", "S3OutputPath", "S3FailurePath", "ModelDataUrl", "DestinationS3Uri",
})  # fmt: skip


def places(request: Mapping[str, Any]) -> set[str]:
    """Every s3:// URI that a request names as a place of data, wherever it stands in it."""
    found: set[str] = set()
    waiting: list[Any] = [request]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            waiting.extend(item for item in value.values() if not isinstance(item, str))
            texts = (value.get(name) for name in _PLACES)
            found |= {text for text in texts if isinstance(text, str) and text}
        elif isinstance(value, list | tuple):
            waiting.extend(value)
    return found
