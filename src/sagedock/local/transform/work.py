"""Objects through a model: many payloads in flight, answers written in order.

Payloads of one object and of the next are in flight together, so small objects are as quick as
one large one. At most one output is open at a time; it appears whole or not at all (E13). Must
not know containers.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO, Any, Protocol, Self

from sagedock.errors import InputError, JobFailedError, StoreError
from sagedock.local.transform import records
from sagedock.local.transform.bodies import Body, Source, Span, Stream
from sagedock.local.transform.processing import Processing, Records
from sagedock.local.transform.progress import Progress
from sagedock.local.transform.server import Answer, ModelServer
from sagedock.local.transform.settings import TransformSettings
from sagedock.local.transform.whole import Whole
from sagedock.store.disk import DiskStore
from sagedock.store.protocol import ObjectInfo
from sagedock.store.uri import S3Uri

_AHEAD = 2
"""Payloads that are cut for each one that may be in flight: one slow answer keeps no other from
being asked for."""

_OBJECT_FAULTS = (JobFailedError, InputError, StoreError)
_Output = Generator[None, bytes | None, None]


class Told(Protocol):
    """Who is told of objects that have been worked off."""

    def done(self, name: str, target: str) -> None: ...

    def failed(self, name: str, problem: str) -> None: ...


class _GivenUpError(Exception):
    """Thrown into an output that is not to appear."""


@dataclass
class _Object:
    """An input object on its way."""

    source: Source
    target: S3Uri
    problem: str | None = None
    output: _Output | None = None

    @property
    def name(self) -> str:
        return self.source.name


@dataclass
class Work:
    """Sends what `settings` say with `processing` done to it, through `server` into `store`."""

    server: ModelServer
    settings: TransformSettings
    processing: Processing
    store: DiskStore
    progress: Progress
    told: Told
    alive: Callable[[], bool]
    _waiting: deque[tuple[_Object, Future[Answer] | None]] = field(default_factory=deque)
    _cutting: _Object | None = None

    def __post_init__(self) -> None:
        self._pool = ThreadPoolExecutor(self.settings.concurrent, "sagedock-transform")
        self._whole = Whole(self.processing, self.progress)
        kept = self.settings
        headers = {"Content-Type": kept.content_type, "Accept": kept.accept}
        self._headers: Mapping[str, str] = {key: text for key, text in headers.items() if text}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(cancel_futures=True)
        left = [item for item, _ in self._waiting] + ([self._cutting] if self._cutting else [])
        for item in {id(item): item for item in left}.values():
            _give_up(item)
            item.source.stream.close()

    def run(self, objects: Iterable[tuple[ObjectInfo, S3Uri]]) -> list[str]:
        """All objects; what went wrong with some of them, the others go on (E13). Raises
        JobFailedError where the container has ended, OutputError where nothing can be written."""
        failures: list[str] = []
        for info, target in objects:
            name = shown(self.store, info.uri)
            try:
                stream = self.store.open(info.uri)
            except (StoreError, OSError) as error:
                failures.append(self._failed(name, f"can't be read: {error}"))
                self.progress.object_done(info.size)
                continue
            self._cutting = item = _Object(Source(stream, name), target)
            self._send(item, failures)
            self._waiting.append((item, None))
        self._settle(0, failures)
        return failures

    # sending

    def _send(self, item: _Object, failures: list[str]) -> None:
        try:
            for body in self._bodies(item.source):
                self._settle(self.settings.concurrent * _AHEAD - 1, failures)
                if item.problem:
                    return
                self._waiting.append((item, self._pool.submit(self._invoke, body)))
        except InputError as error:
            item.problem = item.problem or error.message

    def _bodies(self, source: Source) -> Iterator[Body]:
        kept = self.settings
        bodies = records.payloads(
            source, split=kept.split, strategy=kept.strategy, limit=kept.payload
        )
        if kept.payload or kept.strategy == "SingleRecord":
            return bodies
        return (self._whole.stream(body) for body in bodies if isinstance(body, Span))

    def _invoke(self, body: Body) -> Answer:
        if isinstance(body, Stream):
            return self._asked(body)
        processing, sent = self.processing, body
        kept: Records | bytes | None = None
        if processing.needed:
            raw = body if isinstance(body, bytes) else body.read()
            sent, kept = processing.before(raw)
            kept = (kept or raw) if processing.joins else None
        answer = self._asked(sent)
        assert isinstance(answer, bytes)
        self.progress.sent(len(body) if isinstance(body, bytes) else body.length)
        return processing.after(kept, answer)

    def _asked(self, body: Body) -> Answer:
        return self.server.invoke(
            body,
            self._headers,
            timeout=self.settings.timeout,
            retries=self.settings.retries,
            alive=self.alive,
        )

    # answers

    def _settle(self, most: int, failures: list[str]) -> None:
        """Work off what is waiting, from its oldest on, until at most so much is left."""
        while len(self._waiting) > most:
            item, future = self._waiting[0]
            if future is None:
                self._finish(item, failures)
            elif item.problem:
                _drop(future)
            else:
                self._take(item, future)
            self._waiting.popleft()

    def _take(self, item: _Object, future: Future[Answer]) -> None:
        try:
            answer = future.result()
            if isinstance(answer, bytes):
                self._put(item, records.assembled(answer, self.settings.assemble))
            else:
                with answer:
                    self._put_all(item, answer)
        except _OBJECT_FAULTS as error:
            item.problem = error.message
            if not self.alive():
                raise JobFailedError(
                    f"AlgorithmError: the model's container ended while {item.name} was "
                    f"transformed: {error.message}"
                ) from error

    def _put_all(self, item: _Object, answer: IO[bytes]) -> None:
        """The answer to a whole object, a piece at a time."""
        last = b"\n"
        for part in self._whole.output(item.source, answer):
            self._put(item, part)
            last = part[-1:] or last
        if self.settings.assemble == "Line" and last != b"\n":
            self._put(item, b"\n")

    def _put(self, item: _Object, data: bytes) -> None:
        if item.output is None:
            item.output = self._writing(item.target)
            next(item.output)
        item.output.send(data)

    def _writing(self, target: S3Uri) -> _Output:
        with self.store.writer(target) as out:
            while (data := (yield)) is not None:
                out.write(data)

    def _finish(self, item: _Object, failures: list[str]) -> None:
        try:
            if item.problem:
                _give_up(item)
                failures.append(self._failed(item.name, item.problem))
                return
            self._put(item, b"")
            assert item.output is not None
            next(item.output, None)
            self.told.done(item.name, shown(self.store, item.target))
        finally:
            item.source.stream.close()
            self.progress.object_done(item.source.size)

    def _failed(self, name: str, problem: str) -> str:
        problem = problem.removeprefix(f"{name}: ")
        self.told.failed(name, problem)
        return f"{name}: {problem}"


def shown(store: DiskStore, uri: S3Uri) -> str:
    """An object as its owner knows it: a file of a local folder by its path."""
    behind = store.as_folder(uri.bucket)
    return str(behind.path(uri.key)) if behind else str(uri)


def _drop(future: Future[Any]) -> None:
    """An answer that nobody wants. What is on its way still reads the object."""
    if not future.cancel():
        wait([future])
        if not future.exception() and not isinstance(future.result(), bytes):
            future.result().close()


def _give_up(item: _Object) -> None:
    """No part of an object's output is to appear."""
    if item.output is not None:
        with contextlib.suppress(_GivenUpError):
            item.output.throw(_GivenUpError)
        item.output = None
