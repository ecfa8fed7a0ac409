"""Runs one transform job: a model's container, and every input object through it.

What is sent and written is `work.py`'s; here is the container around it, its log, and the ends.
"""

from __future__ import annotations

import contextlib
import math
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Literal

from sagedock.engine.container import Container
from sagedock.engine.plan import ExitState, LogLine, Mount
from sagedock.errors import InputError, JobFailedError
from sagedock.local import joblog, model_code, model_data
from sagedock.local.channels import InputPlan, objects
from sagedock.local.execution import Execution
from sagedock.local.plans import HOSTING_GRACE, SERVING_PORT, container_name
from sagedock.local.transform.processing import Processing
from sagedock.local.transform.progress import Progress, Reached, Teller
from sagedock.local.transform.server import ModelServer
from sagedock.local.transform.settings import TransformSettings
from sagedock.local.transform.work import Work, shown
from sagedock.local.watch import StopReason, Watcher
from sagedock.store.protocol import ObjectInfo
from sagedock.store.uri import S3Uri

SAY_SECONDS = 10.0
"""Between two lines of the log that say how far it is."""


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
        store, settings = self._shop.store, self._shop.settings
        code = model_code.mounts(store, model.container, settings, self._inputs / "code")
        return model_data.mounts(store, model.name, model.container, folder) + code

    def _attend(self, container: Container) -> tuple[ExitState, StopReason | None]:
        log = _JobLog(joblog.LogWriter(self._shop.log_path(self._job)), self._tell)
        pump = threading.Thread(target=log.pump, args=(container,), name="sagedock-log")
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
                self._transform(container, watcher, log)
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

    # the work

    def _transform(self, container: Container, watcher: Watcher, log: _JobLog) -> None:
        def alive() -> bool:
            return watcher.reason is None and container.is_running()

        server = ModelServer(address(container))
        try:
            server.wait_until_up(alive)
            settings = TransformSettings.resolve(self._job.request, server.execution_parameters())
            log.say(str(settings))
            failures = self._worked_off(server, settings, alive, log)
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

    def _worked_off(
        self,
        server: ModelServer,
        settings: TransformSettings,
        alive: Callable[[], bool],
        log: _JobLog,
    ) -> list[str]:
        """Every object through the model; what went wrong with some of them."""
        count, size = self._extent()
        progress = Progress(size, count)
        work = Work(
            server=server, settings=settings, processing=Processing(self._job.request),
            store=self._shop.store, progress=progress, told=log, alive=alive,
        )  # fmt: skip
        with Teller(progress, self._looked(log)), work:
            failures = work.run((info, self._target(info)) for info in self._objects())
        log.say(str(progress.reached()))
        return failures

    def _looked(self, log: _JobLog) -> Callable[[Reached], None]:
        """Tells a listener that wants it of every look, the log of some of them."""
        said = 0.0

        def look(reached: Reached) -> None:
            nonlocal said
            self._tell("progress", str(reached))
            if reached.seconds - said >= SAY_SECONDS:
                said = reached.seconds
                log.say(str(reached))

        return look

    def _extent(self) -> tuple[int, int]:
        """How many objects there are, and how many bytes."""
        count = size = 0
        for info in self._objects():
            count, size = count + 1, size + info.size
        return count, size

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
            where = shown(self._shop.store, S3Uri.parse(source["S3Uri"]))
            raise InputError(
                f"TransformInput: no S3 objects found under S3 URL {where!r}.",
                hint="Upload the data first, or check the prefix.",
            )

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


class _JobLog:
    """The job's log: what the container prints, and what is said of the objects, in the form of
    the service's own lines."""

    def __init__(
        self, writer: joblog.LogWriter, tell: Callable[[Literal["log"], LogLine], None]
    ) -> None:
        self._writer, self._tell = writer, tell
        self._lock = threading.Lock()

    def pump(self, container: Container) -> None:
        """All that the container prints, until it ends."""
        for line in container.follow():
            self._write(line)

    def say(self, text: str) -> None:
        """A line of our own."""
        nanoseconds = time.time_ns()
        moment = datetime.fromtimestamp(nanoseconds // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        stamp = f"{moment}.{nanoseconds % 10**9:09d}Z"
        for part in text.splitlines():
            self._write(LogLine(stamp=stamp, text=f"[sagemaker logs]: {part}"))

    def done(self, name: str, target: str) -> None:
        """An object is through."""
        self.say(f"{name}: written to {target}")

    def failed(self, name: str, problem: str) -> None:
        """An object is not."""
        for part in problem.splitlines():
            self.say(f"{name}: {part}")

    def _write(self, line: LogLine) -> None:
        with self._lock:
            self._writer.write(line)
            self._tell("log", line)

    def close(self) -> None:
        self._writer.close()


def address(container: Container) -> tuple[str, int]:
    """Where the container's server answers: its own address if this machine is its gateway, which
    spares the engine's proxy, else the port that is published here."""
    for network in container.inspect()["NetworkSettings"]["Networks"].values():
        own = network.get("IPAddress")
        if own and network.get("Gateway") == _way_to(own):
            return own, SERVING_PORT
    return container.address(SERVING_PORT)


def _way_to(host: str) -> str | None:
    """This machine's address towards `host`; nothing is sent to find out."""
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        try:
            sock.connect((host, SERVING_PORT))
            return str(sock.getsockname()[0])
        except OSError:
            return None
