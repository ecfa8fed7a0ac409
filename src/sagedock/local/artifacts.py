"""Takes a finished container's results out and up: model, output, failure and message files.

Everything goes through the engine's archive API, so whoever owns the files in the container,
objects belong to the caller, and nothing is unpacked on the way.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sagedock.contract.failure import LIMIT
from sagedock.contract.paths import ML
from sagedock.engine.container import Container
from sagedock.errors import JobFailedError
from sagedock.local.packing import Packed, first_file, members, pack
from sagedock.store.disk import DiskStore
from sagedock.store.uri import S3Uri

_BYTES_READ = 4 * LIMIT
"""UTF-8 needs at most four bytes for each of the characters that survive."""

_COPY = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Uploaded:
    """A tree that went up: where to, number of files, remarks for the user."""

    uri: str
    files: int
    notes: tuple[str, ...] = ()


def training_output(request: Mapping[str, Any], job_name: str) -> S3Uri:
    """Where a training job's results go: `<S3OutputPath>/<job>/output`."""
    return S3Uri.parse(request["OutputDataConfig"]["S3OutputPath"]).join(job_name, "output")


def model_uri(request: Mapping[str, Any], job_name: str) -> str:
    """Where a training job's model goes: model.tar.gz, or a prefix with CompressionType NONE."""
    whole = request["OutputDataConfig"].get("CompressionType") == "NONE"
    output = training_output(request, job_name)
    return f"{output.join('model')}/" if whole else str(output.join("model.tar.gz"))


def upload_model(
    store: DiskStore, container: Container, request: Mapping[str, Any], job_name: str
) -> Uploaded:
    """/opt/ml/model as model.tar.gz, or as it is with CompressionType NONE (A5.1, A5.3)."""
    target = training_output(request, job_name)
    if request["OutputDataConfig"].get("CompressionType") == "NONE":
        prefix = target.join("model")
        count = upload_tree(store, container, ML.model, prefix)
        return Uploaded(uri=f"{prefix}/", files=count, notes=_empty_model(count))
    return _pack_up(store, container, ML.model, target.join("model.tar.gz"))


def _pack_up(store: DiskStore, container: Container, path: str, uri: S3Uri) -> Uploaded:
    packed = _packed(store, container, path, uri)
    links = (
        f"{uri} holds symbolic links ({', '.join(packed.links[:3])}): "
        "hosting refuses such a model (D2.2)",
    )
    notes = _empty_model(packed.files) + (links if packed.links else ())
    return Uploaded(uri=str(uri), files=packed.files, notes=notes)


def _packed(store: DiskStore, container: Container, path: str, uri: S3Uri) -> Packed:
    with store.writer(uri) as stream, container.fetch(path) as chunks:
        return pack(chunks or _nothing(), stream)


def _empty_model(files: int) -> tuple[str, ...]:
    return () if files else (f"{ML.model} was empty: there is no model in the artifact (A5.1)",)


def _nothing() -> Iterator[bytes]:
    yield b"\0" * 1024  # the end of a tar archive


def upload_output_data(
    store: DiskStore, container: Container, request: Mapping[str, Any], job_name: str
) -> Uploaded | None:
    """/opt/ml/output/data as output.tar.gz (A5.2); None where there is nothing in it."""
    with container.fetch(ML.output_data) as chunks:
        if not any(not entry.isdir() for entry, _ in members(chunks or _nothing())):
            return None
    target = training_output(request, job_name)
    if request["OutputDataConfig"].get("CompressionType") == "NONE":
        prefix = target.join("data")
        return Uploaded(
            uri=f"{prefix}/", files=upload_tree(store, container, ML.output_data, prefix)
        )
    uri = target.join("output.tar.gz")
    packed = _packed(store, container, ML.output_data, uri)
    return Uploaded(uri=str(uri), files=packed.files)


def upload_tree(store: DiskStore, container: Container, path: str, prefix: S3Uri) -> int:
    """Every regular file below `path` as an object of its own; symbolic links aren't followed
    (C8), while a hard link is a file like another."""
    with container.fetch(path) as chunks:
        return _upload_members(store, chunks or _nothing(), prefix)


def _upload_members(store: DiskStore, chunks: Iterator[bytes], prefix: S3Uri) -> int:
    count = 0
    for entry, data in members(chunks):
        target = prefix.join(entry.name)
        if data is not None:
            with store.writer(target) as stream:
                shutil.copyfileobj(data, stream, _COPY)
        elif entry.islnk():
            store.put_file(target, store.path(prefix.join(entry.linkname)))
        count += entry.isreg() or entry.islnk()
    return count


def upload_processing(store: DiskStore, container: Container, request: Mapping[str, Any]) -> None:
    """Every output of a processing job to its S3Uri (C10, EndOfJob)."""
    for item in request.get("ProcessingOutputConfig", {}).get("Outputs", ()):
        target = item["S3Output"]
        upload_tree(store, container, target["LocalPath"], S3Uri.parse(target["S3Uri"]))


def failure_text(container: Container) -> str:
    """What the container wrote to /opt/ml/output/failure (A5.6); empty for none."""
    with container.fetch(ML.failure) as chunks:
        data = first_file(chunks, _BYTES_READ)
    return (data or b"").decode("utf-8", "replace")


def exit_message(container: Container) -> str | None:
    """What a processing container wrote to /opt/ml/output/message (C18), None for none.

    Raises JobFailedError where it isn't UTF-8: the service fails such a job whatever its exit
    code.
    """
    with container.fetch(ML.message) as chunks:
        data = first_file(chunks, _BYTES_READ)
    if data is None:
        return None
    try:
        # A character cut in two by the limit is the limit's doing, not the container's.
        return data.decode("utf-8") if len(data) < _BYTES_READ else data.decode("utf-8", "ignore")
    except UnicodeDecodeError as error:
        raise JobFailedError(f"ClientError: {ML.message} is not UTF-8 ({error}).") from error
