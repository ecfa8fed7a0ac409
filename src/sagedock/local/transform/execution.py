"""Runs one transform job: a model's container, and every input object through it.

Objects are read, sent and written as they come; memory is bounded by the payloads in flight. An
object's output appears whole or not at all (E13).
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from types import TracebackType
from typing import BinaryIO, Self

from sagedock.engine.container import Container
from sagedock.engine.plan import ExitState, LogLine, Mount
from sagedock.errors import InputError, JobFailedError
from sagedock.local import joblog, model_data
from sagedock.local.channels import InputPlan, objects
from sagedock.local.execution import Execution
from sagedock.local.plans import HOSTING_GRACE, SERVING_PORT, container_name
from sagedock.local.transform import records
from sagedock.local.transform.processing import Processing
from sagedock.local.transform.server import ModelServer
from sagedock.local.transform.settings import TransformSettings
from sagedock.local.watch import StopReason, Watcher
from sagedock.store.protocol import ObjectInfo
from sagedock.store.uri import S3Uri


class _StoppedError(Exception):
    """The job was told to stop while it ran."""


class TransformExecution(Execution):
    """One run of one transform job. A new owner starts it anew: what was written is whole."""

    def _started_container(self) -> Container:
        left = self._shop.engine.find(container_name(self._job, self._shop.data_id))
        if left:
            left.remove()
        return self._start_new()

    def _laid_inputs(self) -> list[Mount]:
        model = self._model()
        folder = self._inputs / "model"
        return model_data.mounts(self._shop.store, model.name, model.container, folder)

    def _attend(self, container: Container) -> tuple[ExitState, StopReason | None]:
        log = joblog.LogWriter(self._shop.log_path(self._job))
        pump = threading.Thread(target=self._pump, args=(container, log), name="sagedock-log")
        watcher = Watcher(
            container,
            signal="SIGTERM",
            grace=HOSTING_GRACE,
            deadline=math.inf,
            stop_requested=lambda: self._shop.records.stop_requested(self._job),
            on_stop=self._stopping,
        )
        pump.start()
        try:
            with watcher:
                self._transform(container, watcher)
        except KeyboardInterrupt:
            self._interrupted = True
            self._stopping(StopReason.REQUESTED)
            watcher.reason = StopReason.REQUESTED
        except _StoppedError:
            pass
        finally:
            container.stop(HOSTING_GRACE)
            pump.join()
            log.close()
        return ExitState(exit_code=0), watcher.reason

    def _pump(self, container: Container, log: joblog.LogWriter) -> None:
        line: LogLine
        for line in container.follow():
            log.write(line)
            self._tell("log", line)

    # the work

    def _transform(self, container: Container, watcher: Watcher) -> None:
        def alive() -> bool:
            return watcher.reason is None and container.is_running()

        server = ModelServer(container.published(SERVING_PORT))
        try:
            server.wait_until_up(alive)
            settings = TransformSettings.resolve(self._job.request, server.execution_parameters())
            processing = Processing(self._job.request)
            with _Work(server, settings, processing, alive) as work:
                failures = [text for info in self._objects() if (text := self._one(info, work))]
        except JobFailedError:
            if watcher.reason is not None:
                raise _StoppedError from None
            raise
        finally:
            server.close()
        if watcher.reason is not None:
            raise _StoppedError
        if failures:
            raise JobFailedError(
                f"ClientError: {len(failures)} of the inputs failed: {failures[0]}"
            )

    def _objects(self) -> Iterator[ObjectInfo]:
        """The objects of TransformInput, in order; raises InputError where there are none."""
        source = self._job.request["TransformInput"]["DataSource"]["S3DataSource"]
        plan = InputPlan(
            name="TransformInput",
            uri=source["S3Uri"],
            target="",
            is_manifest=source["S3DataType"] == "ManifestFile",
        )
        found = False
        for info, _ in objects(self._shop.store, plan):
            found = True
            if not info.uri.key.endswith("/"):
                yield info
        if not found:
            raise InputError(
                f"TransformInput: no S3 objects found under S3 URL {source['S3Uri']!r}.",
                hint="Upload the data first, or check the prefix.",
            )

    def _one(self, info: ObjectInfo, work: _Work) -> str | None:
        """One object through the model; what went wrong, or None. The others go on (E13)."""
        begun = time.monotonic()
        try:
            with (
                self._shop.store.open(info.uri) as data,
                self._shop.store.writer(self._target(info)) as out,
            ):
                work.through(data, out, str(info.uri))
        except (JobFailedError, InputError) as error:
            return f"{info.uri}: {error.message}"
        seconds = time.monotonic() - begun
        print_line = f"{info.uri} -> {self._target(info)} in {seconds:.1f} s"
        self._update(lambda s: replace(s, notes=(*s.notes, print_line)))
        return None

    def _target(self, info: ObjectInfo) -> S3Uri:
        """E13: the input's key below its prefix, and `.out`, below the output prefix."""
        prefix = S3Uri.parse(
            self._job.request["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
        ).key
        folder = prefix.rstrip("/") + "/" if prefix else ""
        key = info.uri.key
        below = key[len(folder) :] if key.startswith(folder) else key.rpartition("/")[2]
        output = S3Uri.parse(self._job.request["TransformOutput"]["S3OutputPath"])
        return output.join(f"{below}.out")

    def _finish(self, container: Container, ended: ExitState, reason: StopReason | None) -> None:
        self._end_well(reason)


class _Work:
    """Sends payloads, as many at a time as the settings say, and writes answers in order."""

    def __init__(
        self,
        server: ModelServer,
        settings: TransformSettings,
        processing: Processing,
        alive: Callable[[], bool],
    ) -> None:
        self._processing = processing
        self._server, self._settings, self._alive = server, settings, alive
        headers = {"Content-Type": settings.content_type, "Accept": settings.accept}
        self._headers = {name: value for name, value in headers.items() if value}
        self._pool = ThreadPoolExecutor(settings.concurrent)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def through(self, data: BinaryIO, out: BinaryIO, name: str) -> None:
        """One object's payloads through the model. Raises JobFailedError, InputError."""
        settings = self._settings
        bodies = records.payloads(
            data,
            split=settings.split,
            strategy=settings.strategy,
            limit=settings.payload,
            name=name,
        )
        waiting: deque[Future[bytes]] = deque()
        try:
            for body in bodies:
                waiting.append(self._pool.submit(self._invoke, body))
                if len(waiting) > settings.concurrent:
                    self._write(waiting.popleft(), out)
            while waiting:
                self._write(waiting.popleft(), out)
        finally:
            for future in waiting:
                future.cancel()

    def _invoke(self, body: bytes) -> bytes:
        settings = self._settings
        answer = self._server.invoke(
            self._processing.before(body),
            self._headers,
            timeout=settings.timeout,
            retries=settings.retries,
            alive=self._alive,
        )
        return self._processing.after(body, answer)

    def _write(self, answer: Future[bytes], out: BinaryIO) -> None:
        out.write(records.assembled(answer.result(), self._settings.assemble))
