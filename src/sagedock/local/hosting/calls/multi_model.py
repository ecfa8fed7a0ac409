"""Models of a multi-model container: laid down and loaded when first asked for, unloaded when the
memory is short (D5.2 to D5.9).

Any number of processes may call an endpoint, so what is loaded is known by the container alone,
what is laid down by the folder that it sees, and who changes either holds the folder's lock. Must
not know endpoints.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from uuid import uuid4

from sagedock.contract.paths import ML
from sagedock.errors import InputError, StoreError, ValidationError
from sagedock.local import packing
from sagedock.local.hosting.calls.connections import (
    Answer,
    BrokenError,
    Connections,
    LateError,
    Message,
    ReadAnswer,
    UnreachableError,
)
from sagedock.local.hosting.calls.faults import Faults
from sagedock.local.hosting.values import Hop
from sagedock.store.disk import DiskStore
from sagedock.store.uri import S3Uri

_JSON = {"Content-Type": "application/json"}
_LOOK_SECONDS = 0.02
_NAME_CHARACTERS = 32
_LOCK, _NEW = ".lock", ".new-"


@dataclass(frozen=True, kw_only=True)
class Leg:
    """A request's way to one multi-model container: `target` is its TargetModel, `shown` what
    messages call the container; `deadline` is of time.monotonic."""

    hop: Hop
    shown: str
    target: str
    deadline: float
    faults: Faults

    @property
    def folder(self) -> Path:
        """The folder that the container sees as /opt/ml/models."""
        return Path(self.hop.folder or "")

    @property
    def uri(self) -> S3Uri:
        """Where the model lies. Raises ValidationError where it would leave the prefix."""
        return model_uri(self.hop.models or "", self.target)

    @property
    def name(self) -> str:
        """What the container is told that the model is called: opaque (D5.8)."""
        return sha256(str(self.uri).encode()).hexdigest()[:_NAME_CHARACTERS]


def model_uri(prefix: str, target: str) -> S3Uri:
    """A TargetModel below a model's S3 prefix. Raises ValidationError for one that leaves it."""
    parts = target.split("/")
    if ".." in parts or not any(parts):
        raise ValidationError(
            f"TargetModel is {target!r}: expected the name of a model below {prefix}."
        )
    return S3Uri.parse(prefix).join(target)


class TargetModels:
    """Asks multi-model containers; `store` is opened when a model has to be laid down."""

    def __init__(self, connections: Connections, store: Callable[[], DiskStore]) -> None:
        self._connections, self._store = connections, store

    def invoke(self, leg: Leg, message: Message) -> Answer | ReadAnswer:
        """The answer of the leg's model, which is loaded if need be.

        Raises ValidationError for a model that is not there, ModelNotReadyError where loading
        took too long, ModelError where it failed, and what a connection raises.
        """
        name = leg.name
        answer: Answer | ReadAnswer = self._ask_for(leg, name, message)
        if answer.status in {HTTPStatus.NOT_FOUND, HTTPStatus.INSUFFICIENT_STORAGE}:
            answer.whole()
            answer = self._load_and_ask(leg, name, message)
        return self._used(leg, name, answer)

    def _ask_for(self, leg: Leg, name: str, message: Message) -> Answer:
        return self._send(leg, "POST", f"/models/{name}/invoke", message)

    def _load_and_ask(self, leg: Leg, name: str, message: Message) -> Answer | ReadAnswer:
        """All under the lock, so that nobody unloads the model before it was asked. A model that
        is loaded is asked again: whether the 404 was its own or somebody has loaded it since, only
        a second one tells."""
        with ExitStack() as held:
            try:
                held.enter_context(_locked(leg))
                while not self._is_loaded(leg, name):
                    self._lay_down(leg, leg.folder / name)
                    self._load(leg, name)
            except LateError:
                raise leg.faults.loading(leg.target) from None
            answer = self._ask_for(leg, name, message)
            while answer.status == HTTPStatus.INSUFFICIENT_STORAGE:  # D5.7: no memory to run in
                said = answer.whole()
                if not self._evict(leg, name):
                    return ReadAnswer(said)
                answer = self._ask_for(leg, name, message)
            return answer

    def _send(self, leg: Leg, method: str, path: str, message: Message) -> Answer:
        if not isinstance(message.body, bytes):
            message.body.seek(0)
        connection = self._connections.to((leg.hop.host, leg.hop.port))
        return connection.begin(method, path, message, leg.deadline)

    def _ask(self, leg: Leg, method: str, path: str, body: bytes = b"") -> Message:
        """The container's word on a model. Where it breaks off, no invocation is lost."""
        message = Message(body=body, headers=_JSON if body else {})
        try:
            return self._send(leg, method, path, message).whole()
        except BrokenError as error:
            raise UnreachableError(str(error)) from error

    def _used(self, leg: Leg, name: str, answer: Answer | ReadAnswer) -> Answer | ReadAnswer:
        with suppress(FileNotFoundError):  # unloaded by somebody while it answered
            os.utime(leg.folder / name)
        if leg.hop.cached:
            return answer
        said = answer.whole()
        with suppress(LateError, UnreachableError), _locked(leg):  # the answer is there
            self._unload(leg, leg.folder / name)
        return ReadAnswer(said)

    def _is_loaded(self, leg: Leg, name: str) -> bool:
        return self._ask(leg, "GET", f"/models/{name}").is_good

    # loading

    def _lay_down(self, leg: Leg, model: Path) -> None:
        for left in leg.folder.glob(f"{_NEW}*"):  # of a process that was killed
            shutil.rmtree(left)
        if model.is_dir():
            return
        new = leg.folder / f"{_NEW}{uuid4().hex}"
        try:
            new.mkdir()
            with self._store().open(leg.uri) as archive:
                packing.unpack(archive, str(leg.uri), new / "model")
            new.rename(model)
        except StoreError as error:
            raise ValidationError(
                f'Failed to download model data for container "{leg.hop.name}" from URL: '
                f'"{leg.uri}". Please ensure that there is an object located at the URL and that '
                "the role passed to CreateModel has permissions to download the object.",
                hint=error.hint,
            ) from error
        except InputError as error:
            raise ValidationError(
                f'Failed to extract model data for container "{leg.hop.name}" from URL: '
                f'"{leg.uri}": {error.message}',
                hint=error.hint,
            ) from error
        finally:
            shutil.rmtree(new, ignore_errors=True)

    def _load(self, leg: Leg, name: str) -> None:
        document = {"model_name": name, "url": f"{ML.models}/{name}/model"}
        while True:
            said = self._ask(leg, "POST", "/models", json.dumps(document).encode())
            if said.is_good:
                return
            if said.status == HTTPStatus.CONFLICT:  # D5.3: being loaded since before
                time.sleep(_LOOK_SECONDS)
                return
            if said.status != HTTPStatus.INSUFFICIENT_STORAGE or not self._evict(leg, name):
                shutil.rmtree(leg.folder / name, ignore_errors=True)
                raise leg.faults.answered(leg.shown, said)

    # unloading

    def _evict(self, leg: Leg, keep: str) -> bool:
        """Unload the model that was used least recently; whether there was one but `keep`."""
        others = [
            path
            for path in leg.folder.iterdir()
            if path.is_dir() and path.name != keep and not path.name.startswith(".")
        ]
        if not others:
            return False
        self._unload(leg, min(others, key=lambda path: path.stat().st_mtime_ns))
        return True

    def _unload(self, leg: Leg, model: Path) -> None:
        """D5.6: the container gives the memory back before it answers; then the files go."""
        self._ask(leg, "DELETE", f"/models/{model.name}")
        shutil.rmtree(model, ignore_errors=True)


@contextmanager
def _locked(leg: Leg) -> Iterator[None]:
    """One caller at a time changes what is laid down and loaded. Raises LateError."""
    with (leg.folder / _LOCK).open("ab") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > leg.deadline:
                    raise LateError from None
                time.sleep(_LOOK_SECONDS)
        yield


def with_target(message: Message, target: str) -> Message:
    """The message with the header that tells a container which model is meant (D5.7)."""
    return replace(message, headers={**message.headers, "X-Amzn-SageMaker-Target-Model": target})
