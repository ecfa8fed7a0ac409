"""One instance of a variant: its model's containers, from their start to their removal."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from sagedock.engine.container import Container
from sagedock.engine.docker import Engine
from sagedock.engine.plan import LogLine, Mount
from sagedock.errors import EngineError, InputError, SagedockError
from sagedock.local import image_names, joblog, model_code, model_data
from sagedock.local.hosting.owner.plans import (
    BIND_LABEL,
    Around,
    container_plan,
    hop_name,
    port,
    start_seconds,
)
from sagedock.local.hosting.values import Hop
from sagedock.local.image_names import Use
from sagedock.local.models import Model
from sagedock.local.plans import HOSTING_GRACE
from sagedock.local.transform.server import PING_SECONDS, ModelServer
from sagedock.store.disk import DiskStore

PING_EVERY_SECONDS = 5.0
"""No document says how often the service pings."""

FAILED_PINGS = 3
"""Pings without an answer of 200 within 2 s (D3.2, D3.5) until an instance is replaced."""

VOLUME_GB = 30
"""D2.7, where VolumeSizeInGB is not given."""

_LOOK_SECONDS = 0.2
_TAIL_LINES = 5
_JOIN_SECONDS = 1.0
_PASS_ON_SECONDS = 0.2
"""How long an answer may take from one container of a pipeline to the next."""


@dataclass(frozen=True, kw_only=True)
class Shop:
    """What instances are made with: `folder` is the endpoint's own, `files` its fleet's, where
    models are laid down."""

    engine: Engine
    store: DiskStore
    folder: Path
    files: Path
    around: Around


class Instance:
    """An instance of `variant`. `notes` are told at the beginning of its log."""

    def __init__(
        self, variant: Mapping[str, Any], model: Model, shop: Shop, notes: tuple[str, ...] = ()
    ) -> None:
        self._variant, self._model, self._shop = variant, model, shop
        self._notes = notes
        self.identity = f"i-{uuid4().hex[:17]}"
        self._containers: list[Container] = []
        self._logs: list[joblog.LogWriter] = []
        self._pumps: list[threading.Thread] = []
        self._addresses: list[tuple[str, int]] = []

    # from the start to the first request

    def start(self, goes_on: Callable[[], bool]) -> tuple[Hop, ...]:
        """Start the containers and wait until all of them answer; where they do.

        Raises SagedockError, with the end of the log where a container printed one. `goes_on`
        is asked whether it is still wanted.
        """
        for number in range(len(self._model.containers)):
            self._check_label(number)
            self._start_one(number)
        return tuple(self._hop(number, goes_on) for number in range(len(self._containers)))

    def _check_label(self, number: int) -> None:
        image = self._model.containers[number]["Image"]
        found = self._shop.engine.image(self._runs(image))
        if len(self._model.containers) == 1 or found is None:
            return
        if found.labels.get(BIND_LABEL) != "true":
            raise InputError(
                f"Image {image} of container {self._hop_name(number)} lacks the label "
                f"{BIND_LABEL}=true, which several containers of one model need (D5.11).",
                hint="Let its server listen on SAGEMAKER_BIND_TO_PORT and say so by that label.",
            )

    def _runs(self, image: str) -> str:
        return image_names.here(image, Use.SERVING, self._shop.around.settings)

    def _start_one(self, number: int) -> None:
        mounts = self._mounts(number)
        plan = container_plan(
            self._variant,
            self._model,
            number,
            instance=self.identity,
            mounts=mounts,
            around=self._shop.around,
        )
        container = self._shop.engine.create(plan)
        self._containers.append(container)
        log = joblog.LogWriter(self._log_path(number))
        self._logs.append(log)
        image = self._model.containers[number]["Image"]
        replaced = image_names.note(image, Use.SERVING, self._shop.around.settings)
        for note in (*replaced, *self._notes):
            self.note(note, number)
        container.start()
        pump = threading.Thread(target=_pump, args=(container, log), name="sagedock-log")
        self._pumps.append(pump)
        pump.start()

    def _mounts(self, number: int) -> list[Mount]:
        begun = time.monotonic()
        folder = self._shop.files / self.identity / str(number)
        store, container = self._shop.store, self._model.containers[number]
        found = model_data.mounts(store, self._model.name, container, folder)
        code = folder.with_name(f"{number}-code")
        found += model_code.mounts(store, container, self._shop.around.settings, code)
        self.check_limits(time.monotonic() - begun, folder)
        return found

    def check_limits(self, seconds: float, folder: Path) -> None:
        """Raise InputError where a model that took `seconds` to be laid down in `folder` took too
        long (D3.4) or has no room on the variant's volume (D2.7)."""
        name = self._model.name
        limit = self._variant.get("ModelDataDownloadTimeoutInSeconds")
        if limit is not None and seconds > limit:  # D3.4
            raise InputError(
                f"Model {name!r} took {seconds:.0f} s to be laid down, and may take {limit} s "
                "(ModelDataDownloadTimeoutInSeconds)."
            )
        room = self._variant.get("VolumeSizeInGB", VOLUME_GB)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        if size > room << 30:  # D2.7
            raise InputError(
                f"Model {name!r} has {size:,} bytes unpacked; its volume has {room} GB (D2.7).",
                hint="Ask for more: VolumeSizeInGB of the variant, at most 512.",
            )

    def _hop(self, number: int, goes_on: Callable[[], bool]) -> Hop:
        container, described = self._containers[number], self._model.containers[number]
        host, outside = container.address(port(number, len(self._containers)))
        self._addresses.append((host, outside))
        self._wait_until_up(number, lambda: goes_on() and _is_running(container))
        multi = model_data.is_multi_model(described)
        caching = described.get("MultiModelConfig", {}).get("ModelCacheSetting", "Enabled")
        return Hop(
            name=self._hop_name(number),
            host=host,
            port=outside,
            models=described["ModelDataUrl"] if multi else None,
            folder=str(self._shop.files / self.identity / str(number)) if multi else None,
            cached=caching == "Enabled",
        )

    def _wait_until_up(self, number: int, alive: Callable[[], bool]) -> None:
        server = ModelServer(self._addresses[number])
        try:
            server.wait_until_up(alive, start_seconds(self._variant))
        except SagedockError as error:
            raise SagedockError(f"{error.message} {self._tail(number)}") from error
        finally:
            server.close()

    def _hop_name(self, number: int) -> str:
        return hop_name(self._model.containers[number], number)

    # watching

    def watch(self, stopped: threading.Event) -> str | None:
        """Until a container has ended or answers no ping any more: what happened. None where it
        was `stopped` before."""
        failed = [0] * len(self._containers)
        next_ping = time.monotonic() + PING_EVERY_SECONDS
        while not stopped.wait(_LOOK_SECONDS):
            for number, container in enumerate(self._containers):
                if not _is_running(container):
                    return f"Container {self._hop_name(number)} ended. {self._tail(number)}"
            if time.monotonic() < next_ping:
                continue
            for number, address in enumerate(self._addresses):
                problem = _ping_problem(address)
                failed[number] = failed[number] + 1 if problem else 0
                if problem:
                    self._tell_ping(number, failed[number], problem)
                if failed[number] >= FAILED_PINGS:
                    return f"{self._hop_name(number)} failed {FAILED_PINGS} pings: {problem}."
            next_ping = time.monotonic() + PING_EVERY_SECONDS
        return None

    def _tell_ping(self, number: int, count: int, problem: str) -> None:
        self.note(
            f"GET /ping: {problem}; {count} of {FAILED_PINGS} until this instance is replaced. It "
            "must answer within 2 s while invocations run, too (D3.5).",
            number,
        )

    # logs

    def note(self, text: str, number: int = 0) -> None:
        """A line of our own in the log of container `number`."""
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
        self._logs[number].write(LogLine(stamp=stamp, text=f"sagedock: {text}"))

    def _log_path(self, number: int) -> Path:
        """One file for each of the service's log streams: VARIANT/INSTANCE[/CONTAINER]."""
        variant: str = self._variant["VariantName"]
        place = self._shop.folder / "logs" / variant / self.identity
        several = len(self._model.containers) > 1
        return place / f"{self._hop_name(number)}.log" if several else place.with_suffix(".log")

    def _tail(self, number: int) -> str:
        self._pumps[number].join(timeout=_JOIN_SECONDS)
        lines = [line.text for line in joblog.read(self._log_path(number))[-_TAIL_LINES:]]
        return "Last of its log: " + " | ".join(lines) if lines else "Its log is empty."

    # the end

    def stop(self) -> None:
        """SIGTERM, what is in flight gets its answers, SIGKILL after 30 s (D1.4); all removed. A
        pipeline's containers end in turn: what one has answered is the next one's to go on with."""
        groups = [self._containers] if self._model.direct else [[c] for c in self._containers]
        for number, group in enumerate(groups):
            if number:
                time.sleep(_PASS_ON_SECONDS)
            _end_all(group)
        for pump in self._pumps:
            pump.join()
        for log in self._logs:
            log.close()


def _end_all(containers: list[Container]) -> None:
    endings = [threading.Thread(target=_end, args=(item,)) for item in containers]
    for ending in endings:
        ending.start()
    for ending in endings:
        ending.join()


def _pump(container: Container, log: joblog.LogWriter) -> None:
    for line in container.follow():
        log.write(line)


def _ping_problem(address: tuple[str, int]) -> str | None:
    """What is wrong with GET /ping, None where it is fine. Each time on a connection of its own,
    as a health checker's is."""
    connection = http.client.HTTPConnection(*address, timeout=PING_SECONDS)
    try:
        connection.request("GET", "/ping")
        status = connection.getresponse().status
    except TimeoutError:
        return f"no answer within {PING_SECONDS:g} s (D3.2)"
    except (OSError, http.client.HTTPException) as error:
        return f"no answer ({error or type(error).__name__})"
    finally:
        connection.close()
    return None if status == http.client.OK else f"status {status}"


def _is_running(container: Container) -> bool:
    try:
        return container.is_running()
    except EngineError:  # removed by somebody else
        return False


def _end(container: Container) -> None:
    try:
        container.stop(HOSTING_GRACE)
    except EngineError:  # removed by somebody else, or the engine went away: nothing left to stop
        pass
    finally:
        container.remove()
