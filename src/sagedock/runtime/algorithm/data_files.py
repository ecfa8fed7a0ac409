"""The files of a channel, and what they plainly are. Knows nothing of how they are read.

Unlike the built-in container (H2.7), any depth is searched and equal base names in two folders are
two files.
"""

from __future__ import annotations

import os
from pathlib import Path

from sagedock.errors import TrainingError
from sagedock.runtime.algorithm.channels import Channel
from sagedock.runtime.algorithm.content_types import Format
from sagedock.runtime.algorithm.log import Log

HEAD = 65536
"""Bytes looked at to tell what a file is."""

MAGICS = (
    (b"PAR1", "Parquet", "Set content_type='application/x-parquet'."),
    (b"\x1f\x8b", "gzip", "Unpack it: File mode hands over files as they are."),
    (b"PK\x03\x04", "zip", "Unpack it."),
    (b"\xff\xfe", "UTF-16 text", "Save it as UTF-8."),
    (b"\xfe\xff", "UTF-16 text", "Save it as UTF-8."),
    (b"\x0a\x23\xd7\xce", "recordio-protobuf", "Use CSV, libsvm or Parquet."),
)


def find(channel: Channel, log: Log) -> list[Path]:
    """Data files of `channel`, sorted by path. Raises TrainingError if there are none."""
    folder = Path(channel.folder)
    if not folder.is_dir():
        raise TrainingError(
            f"No data in channel '{channel.name}': the folder {folder} does not exist.",
            hint="Check the channel's S3 URI.",
        )
    files = sorted(path for path in _walk(folder) if _is_data(path, folder, log))
    if not files:
        raise TrainingError(
            f"No data in channel '{channel.name}': {folder} holds no file with content "
            "(names beginning with '.' or '_' are skipped).",
            hint="Check the channel's S3 URI and that the objects below it are not empty.",
        )
    for path in files:
        check_head(path, channel)
    return files


def _walk(folder: Path) -> list[Path]:
    return [Path(root) / name for root, _, names in os.walk(folder) for name in names]


def _is_data(path: Path, folder: Path, log: Log) -> bool:
    if any(part.startswith((".", "_")) for part in path.relative_to(folder).parts):
        log.debug(f"Skipped {path}: hidden, or a marker.")
        return False
    if not path.is_file() or path.stat().st_size == 0:
        log.debug(f"Skipped {path}: empty, or not a file.")
        return False
    return True


def head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD)


def check_head(path: Path, channel: Channel) -> None:
    """Raise if the file is plainly something else than the channel's content type says."""
    start = head(path)
    for magic, name, hint in MAGICS:
        parquet = name == "Parquet" and channel.content.format is Format.PARQUET
        if start.startswith(magic) and not parquet:
            raise TrainingError(
                f"{path} is {name}, and channel '{channel.name}' is read as "
                f"{channel.content.format.value}.",
                hint=hint,
            )
    if channel.content.format is Format.LIBSVM and _is_csv(start):
        raise _csv_as_libsvm(path, channel, start)
    if channel.content.format is Format.PARQUET and not start.startswith(b"PAR1"):
        raise TrainingError(
            f"{path} is not Parquet, and channel '{channel.name}' is read as "
            f"{channel.content.format.value}.",
            hint="Set content_type='text/csv' if it is CSV, or remove the file from the channel.",
        )


def _is_csv(start: bytes) -> bool:
    """Delimiters and not one colon after a number: libsvm has `index:value` everywhere."""
    line = start.partition(b"\n")[0].strip()
    return any(mark in line for mark in (b",", b";", b"\t", b"|")) and b":" not in line


def _csv_as_libsvm(path: Path, channel: Channel, start: bytes) -> TrainingError:
    line = start.partition(b"\n")[0].decode("utf-8", "replace").strip()
    why = (
        f"has the content type {channel.content.format.value}"
        if channel.content.given
        else "has no content type, which means text/libsvm"
    )
    return TrainingError(
        f"{path} looks like CSV (line 1: {line[:60]!r}), and channel '{channel.name}' {why}.",
        hint="Set content_type='text/csv' for the channel, for example "
        "TrainingInput(…, content_type='text/csv').",
    )
