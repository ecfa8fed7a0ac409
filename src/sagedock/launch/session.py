"""Launching on this machine: a client, a store, a default bucket, local paths in requests."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from sagedock.engine.plan import LogLine
from sagedock.errors import (
    InputError,
    JobFailedError,
    OutputError,
    ResourceNotFoundError,
    StoreError,
)
from sagedock.launch.listeners import PlainListener
from sagedock.launch.place import FILE, Ended, Place, local_path
from sagedock.launch.upload import Upload
from sagedock.local.client import LocalSageMaker
from sagedock.local.execution import Listener
from sagedock.local.hosting.calls.runtime import LocalRuntime
from sagedock.local.hosting.values import EndpointStatus
from sagedock.local.records import Kind
from sagedock.local.settings import LocalSettings
from sagedock.requests import Request, validate
from sagedock.store.disk import DiskStore
from sagedock.store.uri import SCHEME, S3Uri

DEFAULT_BUCKET = "sagedock-local"
DEFAULT_INSTANCE = "ml.m5.large"
_LOCAL_WORDS = frozenset({"local", "local_gpu"})
_POLL_SECONDS = 0.05
_BLOCK = 1 << 20
_ON_THE_WAY = frozenset(
    {EndpointStatus.CREATING, EndpointStatus.UPDATING, EndpointStatus.ROLLING_BACK}
)


class Session(Place):
    """Where jobs go and where their data lies: this machine, no AWS account.

    `data` is the folder for objects and jobs (default: SAGEDOCK_DATA, else the user's data
    directory). `listener` gets the log and status of jobs that are waited for; without one they
    are printed to `stream` (default: standard output).
    """

    def __init__(
        self,
        *,
        data: str | Path | None = None,
        default_bucket: str = DEFAULT_BUCKET,
        settings: LocalSettings | None = None,
        listener: Listener | None = None,
        stream: TextIO | None = None,
    ) -> None:
        folder = Path(data).expanduser().absolute() if data else None
        self.settings = settings or LocalSettings.from_environment(data=folder)
        self.sagemaker_client: LocalSageMaker = LocalSageMaker(self.settings)
        self._attending = LocalSageMaker(self.settings, attended=True)
        self._default_bucket = default_bucket
        self._listener = listener
        self._stream = stream

    # names and places

    @property
    def region(self) -> str:
        """The settings' own: it stands in ARNs."""
        return self.settings.region

    @property
    def store(self) -> DiskStore:
        """The object store of this session."""
        return self.sagemaker_client.store

    def default_bucket(self) -> str:
        """The bucket for what has no other place; made when first asked for."""
        self.store.create_bucket(self._default_bucket)
        return self._default_bucket

    def role_arn(self, role: str | None) -> str:
        """A role as ARN: a plain name is one of this account's, none is a stand-in."""
        if role and role.startswith("arn:"):
            return role
        return f"arn:aws:iam::{self.settings.account}:role/{role or 'SageMakerLocalRole'}"

    def instance_type(self, given: str | None) -> str:
        """The instance type for a request; `local`, the SDKs' word, is none of SageMaker's."""
        return DEFAULT_INSTANCE if given is None or given in _LOCAL_WORDS else given

    def input_uri(self, source: str | Path) -> str:
        """An input as s3:// URI. A local folder or file is named in place, not copied.

        Raises InputError where nothing is there, StoreError for an unknown bucket.
        """
        text = str(source)
        if text.startswith(SCHEME):
            self.store.as_folder(S3Uri.parse(text).bucket)
            return text
        path = local_path(text)
        if not path.exists():
            raise InputError(
                f"Input {text!r}: no such file or folder ({path}).",
                hint="Name an existing file or folder, or an s3:// URI.",
            )
        if path.is_dir():
            return str(self.store.folder_bucket(path))
        return str(self.store.folder_bucket(path.parent).join(path.name))

    def output_uri(self, target: str | Path | None) -> str:
        """An output prefix as s3:// URI; its bucket or folder is made if missing.

        Raises OutputError where the folder can't be made.
        """
        if target is None:
            return f"{SCHEME}{self.default_bucket()}"
        text = str(target)
        if text.startswith(SCHEME):
            uri = S3Uri.parse(text)
            self.store.create_bucket(uri.bucket)
            return text.rstrip("/")
        path = local_path(text)
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"Output folder {text!r} can't be made: {error.strerror} ({path}).",
                hint="Name a folder that you may write to.",
            ) from error
        return str(self.store.folder_bucket(path))

    def code_prefix(self, output: str) -> S3Uri:
        """Beside the results; never in a local output folder."""
        uri = S3Uri.parse(output)
        return S3Uri(self.default_bucket()) if self.store.as_folder(uri.bucket) else uri

    def shown(self, uri: str) -> str:
        """A URI as the caller knows it: one of a local folder is a file:// URI again."""
        parsed = S3Uri.parse(uri)
        behind = self.store.as_folder(parsed.bucket)
        return f"{FILE}{behind.folder / parsed.key}" if behind else uri

    # data

    def upload_data(
        self, path: str | Path, bucket: str | None = None, key_prefix: str = "data"
    ) -> str:
        """Copy a file or folder into the store; the URI of the object or prefix.

        The bucket is made if missing. Raises InputError where there is nothing to upload.
        """
        source = local_path(str(path))
        bucket = bucket or self.default_bucket()
        self.store.create_bucket(bucket)
        prefix = S3Uri(bucket, key_prefix.strip("/"))
        files = _files(source)
        for file in files:
            name = file.name if source.is_file() else file.relative_to(source).as_posix()
            self.store.put_file(prefix.join(name), file)
        return str(prefix.join(source.name) if source.is_file() else prefix)

    def download_data(self, path: str | Path, bucket: str, key_prefix: str = "") -> list[str]:
        """Copy every object below a prefix into a folder; the paths of the files."""
        target = Path(path)
        prefix = S3Uri(bucket, key_prefix)
        written = []
        for info in self.store.list(prefix):
            if info.uri.key.endswith("/"):  # a console's "folder" object is no file
                continue
            relative = info.uri.key.removeprefix(key_prefix).lstrip("/")
            file = target / (relative or info.uri.key.rsplit("/", 1)[-1])
            if ".." in file.relative_to(target).parts:
                raise StoreError(f"{info.uri} can't be a file below {target}.")
            file.parent.mkdir(parents=True, exist_ok=True)
            with self.store.open(info.uri) as data, file.open("wb") as stream:
                shutil.copyfileobj(data, stream)
            written.append(str(file))
        return written

    def read(self, uri: str) -> bytes:
        """One object's bytes."""
        place = uri if uri.startswith(SCHEME) else self.input_uri(uri)
        with self.store.open(S3Uri.parse(place)) as stream:
            return stream.read()

    def read_if_there(self, uri: str) -> bytes | None:
        """One object's bytes, None where there is none."""
        try:
            return self.read(uri)
        except StoreError:
            return None

    def has(self, uri: str) -> bool:
        """Whether an object has that URI, or begins with it."""
        try:
            return any(True for _ in self.store.list(S3Uri.parse(uri)))
        except StoreError:
            return False

    def put(self, uri: S3Uri, data: bytes) -> None:
        """One object, whole or not at all. Raises StoreError for an unknown bucket."""
        with self.store.writer(uri) as stream:
            stream.write(data)

    def copy(self, source: str | Path, target: S3Uri) -> None:
        """A local file or an object, as the object `target`; its bucket is made if missing."""
        place = S3Uri.parse(self.input_uri(source))
        self.store.create_bucket(target.bucket)
        with self.store.open(place) as data, self.store.writer(target) as out:
            while block := data.read(_BLOCK):
                out.write(block)

    def list_uris(self, prefix: S3Uri) -> list[str]:
        """The objects below a prefix."""
        return [str(info.uri) for info in self.store.list(prefix)]

    # jobs

    def start(self, kind: Kind, request: Request, uploads: Sequence[Upload], *, wait: bool) -> None:
        """Validate, upload what the job needs, create it.

        With `wait` the caller promises to `attend` the job, which then runs in this process.
        Raises what LocalSageMaker raises.
        """
        validate(f"Create{kind.capitalize()}Job", request)
        # An upload would replace the code of the job that has the name.
        self.sagemaker_client.refuse_taken(kind, request[f"{kind.capitalize()}JobName"])
        for upload in uploads:
            upload.into(self.store)
        client = self._attending if wait else self.sagemaker_client
        create = {
            Kind.TRAINING: client.create_training_job,
            Kind.PROCESSING: client.create_processing_job,
            Kind.TRANSFORM: client.create_transform_job,
        }[kind]
        create(**request)

    def attend(self, kind: Kind, name: str, *, logs: bool) -> Ended:
        """Wait for a job, its log and status going to this session's listener if `logs`. Ctrl-C
        stops the job."""
        state = self._attending.attend(kind, name, self.listener() if logs else None).state
        last = state.transitions[-1].message if state.transitions else ""
        return Ended(status=state.status, failure=state.failure_reason, message=last)

    def kind_of(self, name: str) -> Kind:
        """The kind of the job of that name. Raises ResourceNotFoundError."""
        return self.sagemaker_client.find(name).kind

    def listener(self) -> Listener:
        """Who is told of jobs that are waited for."""
        return self._listener or PlainListener(self._stream or sys.stdout)

    def lines(self, kind: Kind, name: str) -> list[LogLine]:
        """A job's log so far, each line with its time."""
        return list(self.sagemaker_client.logs(self.sagemaker_client.job(kind, name)))

    def logs(self, job_name: str) -> list[str]:
        """The lines of a job's log so far."""
        client = self.sagemaker_client
        return [line.text for line in client.logs(client.find(job_name))]

    def say_left(self, job_name: str) -> None:
        """Nothing: an interrupt has stopped the job."""

    def notes(self, kind: Kind, name: str) -> tuple[str, ...]:
        """Remarks on a job that the service has no member for."""
        return self.sagemaker_client.job(kind, name).state.notes

    def timings(self, kind: Kind, name: str) -> dict[str, float]:
        """Seconds that a job spent on staging, in the container and on packaging."""
        return self.sagemaker_client.job(kind, name).state.timings()

    # models and endpoints

    def create_model(self, request: Request) -> None:
        """CreateModel. Raises what LocalSageMaker raises."""
        self.sagemaker_client.create_model(**request)

    def wait_until_in_service(self, name: str) -> None:
        """Until an endpoint is InService. Raises JobFailedError with its FailureReason, also where
        an update was rolled back."""
        while (endpoint := self.sagemaker_client.endpoint(name)).status in _ON_THE_WAY:
            time.sleep(_POLL_SECONDS)
        if endpoint.status is EndpointStatus.IN_SERVICE and not endpoint.failure:
            return
        gone = "it is being deleted." if endpoint.status is EndpointStatus.DELETING else ""
        kept = endpoint.status is EndpointStatus.IN_SERVICE
        raise JobFailedError(
            f"Endpoint {name} is {endpoint.status}: {endpoint.failure or gone}",
            hint="It serves what it served before."
            if kept
            else f"Delete it when you have seen enough: sagedock delete-endpoint {name}",
        )

    def wait_until_gone(self, name: str) -> None:
        """Until an endpoint that is being deleted is gone."""
        while any(item.name == name for item in self.sagemaker_client.endpoints()):
            time.sleep(_POLL_SECONDS)

    def keep(self, name: str) -> None:
        """Give an endpoint an owner if it lost its own."""
        with suppress(ResourceNotFoundError):  # deleted since
            self.sagemaker_client.endpoint(name)

    def runtime(self) -> LocalRuntime:
        """Calls endpoints."""
        return LocalRuntime(self.settings)

    def close(self) -> None:
        """Let go of engine and database."""
        self.sagemaker_client.close()
        self._attending.close()


def _files(source: Path) -> list[Path]:
    files = [source] if source.is_file() else sorted(p for p in source.rglob("*") if p.is_file())
    if not files:
        raise InputError(
            f"Nothing to upload: {source} " + ("is empty." if source.is_dir() else "is not there.")
        )
    return files
