"""Data capture: what went to an endpoint and came from it, as JSON Lines in the service's layout.

Callers append lines to spool files in the endpoint's folder; its owner moves those to the store.
A spool file is renamed to the name of its object-to-be before it is moved, and its writers look
whether it still is the one by that name while they hold its lock: so no line is lost, and a move
that was interrupted is simply done again.

Source: DataCaptureConfig in the API reference, "Capture data from real-time endpoint" in the
developer guide.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

from sagedock.store.disk import DiskStore
from sagedock.store.uri import S3Uri

_WHOLE = 100
_MODES = {"Input": ("Input",), "Output": ("Output",), "InputAndOutput": ("Input", "Output")}
_DESTINATION, _SUFFIX = "destination", ".jsonl"
_SPOOL, _MOVING = "spool", "moving"


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One invocation as it is captured: bodies with their content types."""

    sent: bytes
    sent_type: str
    got: bytes
    got_type: str
    attributes: str | None = None
    inference_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class CaptureConfig:
    """A DataCaptureConfig: `percent` of the invocations, `modes` of Input and Output."""

    destination: str
    percent: int
    modes: frozenset[str]
    csv_types: frozenset[str] = frozenset()
    json_types: frozenset[str] = frozenset()

    @classmethod
    def of(cls, request: Mapping[str, Any]) -> CaptureConfig | None:
        """What a CreateEndpointConfig request asks for; None where nothing is to be captured."""
        config = request.get("DataCaptureConfig")
        if not config or not config.get("EnableCapture", True):
            return None
        types = config.get("CaptureContentTypeHeader", {})
        modes = [mode for item in config["CaptureOptions"] for mode in _MODES[item["CaptureMode"]]]
        return cls(
            destination=config["DestinationS3Uri"],
            percent=config["InitialSamplingPercentage"],
            modes=frozenset(modes),
            csv_types=_media_types(types.get("CsvContentTypes", ())),
            json_types=_media_types(types.get("JsonContentTypes", ())),
        )

    def takes_this_one(self) -> bool:
        """Whether this invocation is among those to be captured."""
        return random.random() * _WHOLE < self.percent

    def line(self, exchange: Exchange, now: datetime) -> bytes:
        """The record of one invocation, with its line end."""
        data = {}
        if "Input" in self.modes:
            data["endpointInput"] = self._data("INPUT", exchange.sent, exchange.sent_type)
        if "Output" in self.modes:
            data["endpointOutput"] = self._data("OUTPUT", exchange.got, exchange.got_type)
        metadata: dict[str, Any] = {"eventId": str(uuid4())}
        if exchange.attributes:
            metadata["customAttributes"] = [exchange.attributes]
        if exchange.inference_id:
            metadata["inferenceId"] = exchange.inference_id
        metadata["inferenceTime"] = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        document = {"captureData": data, "eventMetadata": metadata, "eventVersion": "0"}
        return json.dumps(document, separators=(",", ":")).encode() + b"\n"

    def _data(self, mode: str, body: bytes, content_type: str) -> dict[str, str]:
        encoding, text = self._encoded(body, _media_type(content_type))
        return {
            "observedContentType": content_type,
            "mode": mode,
            "data": text,
            "encoding": encoding,
        }

    def _encoded(self, body: bytes, media_type: str) -> tuple[str, str]:
        for encoding, types in (("CSV", self.csv_types), ("JSON", self.json_types)):
            if media_type in types:
                with suppress(UnicodeDecodeError):
                    return encoding, body.decode()
        return "BASE64", base64.b64encode(body).decode()


def _media_types(types: Sequence[str]) -> frozenset[str]:
    return frozenset(_media_type(item) for item in types)


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


class Spool:
    """Captured lines of the endpoint `endpoint`, whose own folder is `folder`, on their way to the
    store. Any number of processes may append while one moves."""

    def __init__(self, folder: Path, endpoint: str) -> None:
        self._folder, self._endpoint = folder / "capture", endpoint

    def append(self, destination: str, variant: str, line: bytes) -> None:
        """Add one line to those that go below the S3 prefix `destination`."""
        place = self._place(destination)
        while True:
            with (place / _SPOOL / f"{variant}{_SUFFIX}").open("ab", buffering=0) as stream:
                fcntl.flock(stream, fcntl.LOCK_EX)
                if _is_still(stream):
                    _write(stream, line)
                    return

    def _place(self, destination: str) -> Path:
        """The folder of one destination, whose name can't hold an S3 prefix."""
        place = self._folder / sha256(destination.encode()).hexdigest()[:16]
        if not (place / _DESTINATION).exists():
            (place / _SPOOL).mkdir(parents=True, exist_ok=True)
            (place / _MOVING).mkdir(exist_ok=True)
            new = place / f".{uuid4().hex}"
            new.write_text(destination, encoding="utf-8")
            new.replace(place / _DESTINATION)
        return place

    def move(self, store: DiskStore) -> int:
        """Move what is there to the store; how many objects. Raises StoreError, OutputError where
        that can't be done: nothing is lost then, and the next move tries again."""
        moved = 0
        for named in sorted(self._folder.glob(f"*/{_DESTINATION}")):
            destination = named.read_text(encoding="utf-8")
            for spool in sorted((named.parent / _SPOOL).glob(f"*{_SUFFIX}")):
                self._set_apart(spool)
            for file in sorted((named.parent / _MOVING).glob(f"*{_SUFFIX}")):
                moved += self._move(store, destination, file)
        return moved

    def _set_apart(self, spool: Path) -> None:
        """From here on lines go to a new file; this one has the name of its object-to-be."""
        now = datetime.now(UTC)
        stamp = now.strftime("%Y+%m+%d+%H+%M-%S-") + f"{now.microsecond // 1000:03d}"
        name = f"{spool.stem}+{stamp}-{uuid4()}{_SUFFIX}"
        spool.rename(spool.parent.parent / _MOVING / name)

    def _move(self, store: DiskStore, destination: str, file: Path) -> bool:
        with file.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)  # who was writing has done so
            lines = stream.read()
            if lines:
                key = file.name.replace("+", "/")  # VARIANT/yyyy/mm/dd/hh/MM-SS-mmm-UUID.jsonl
                store.put(S3Uri.parse(destination).join(self._endpoint, key), lines)
        file.unlink()
        return bool(lines)


def _is_still(stream: IO[bytes]) -> bool:
    """Whether the open file still is the one by that name."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(stream.fileno()), Path(stream.name).stat())
    return False


def _write(stream: IO[bytes], line: bytes) -> None:
    """All of the line or, where the disk is full, none of it. The lock is held."""
    size = os.fstat(stream.fileno()).st_size
    try:
        while line:
            line = line[stream.write(line) :]
    except OSError:
        os.ftruncate(stream.fileno(), size)
        raise
