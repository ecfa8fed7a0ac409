"""What an endpoint's owner does beside keeping its containers: works off asynchronous requests,
and moves captured data to the store. Must not know containers."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait

from sagedock.errors import ResourceNotFoundError, SagedockError
from sagedock.local.hosting.async_records import AsyncRecords, AsyncRequest
from sagedock.local.hosting.calls.capture import Spool
from sagedock.local.hosting.calls.connections import Connections
from sagedock.local.hosting.calls.delivery import Delivery
from sagedock.local.hosting.calls.scribe import Scribe
from sagedock.local.hosting.owner.asynchronous import Worker
from sagedock.local.hosting.records import HostingRecords
from sagedock.local.hosting.values import EndpointStatus
from sagedock.local.settings import LocalSettings
from sagedock.store.disk import DiskStore

MOVE_SECONDS = 2.0
"""How often captured data is moved."""

CONCURRENT = 4
"""Requests at a time to each instance, where MaxConcurrentInvocationsPerInstance does not say; the
service then chooses by itself."""

DRAIN_SECONDS = 30.0
"""D1.4: what is under way may take so long still."""

_MOST = 1000
_LOOK_SECONDS = 0.1


class Background:
    """The background work of endpoint `name`, in threads of this process. When it is to end, what
    is under way has `drain_seconds`."""

    def __init__(
        self,
        name: str,
        *,
        settings: LocalSettings,
        store: DiskStore,
        records: HostingRecords,
        drain_seconds: float = DRAIN_SECONDS,
    ) -> None:
        self._drain_seconds = drain_seconds
        self._name, self._store, self._records = name, store, records
        self._spool = Spool(settings.data / "endpoints" / name, name)
        self._queue = AsyncRecords(settings.data)
        self._connections = Connections()
        delivery = Delivery(settings, records, self._connections, lambda: store)
        self._worker = Worker(delivery, store, Scribe(settings.data))
        self._stopped = threading.Event()
        self._broken_off = False
        self._at_work: set[Future[None]] = set()
        self._threads: list[threading.Thread] = []
        self._pool: ThreadPoolExecutor | None = None

    def start(self) -> None:
        """Begin; a second call changes nothing."""
        if self._threads:
            return
        self._queue.wait_again(self._name)  # what a former owner was working on
        self._pool = ThreadPoolExecutor(_MOST, thread_name_prefix="sagedock-async")
        for target in (self._work, self._move):
            thread = threading.Thread(target=target, name=f"sagedock-{target.__name__[1:]}")
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """End: returns when nothing is under way any more. May be called
        without `start`. What was captured is moved; what waits for an endpoint that is being
        deleted is forgotten, for any other it waits for the next owner."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()
        if self._pool:
            self._end(self._pool)
        self.move()
        if self._is_deleted():
            self._queue.forget(self._name)
        else:
            self._queue.wait_again(self._name)
        self._connections.close()
        self._queue.close()

    def _end(self, pool: ThreadPoolExecutor) -> None:
        if wait(self._at_work, timeout=self._drain_seconds).not_done:
            self._broken_off = True
            self._connections.abort()
        pool.shutdown(cancel_futures=True)

    def _is_deleted(self) -> bool:
        try:
            return self._records.get(self._name).status is EndpointStatus.DELETING
        except ResourceNotFoundError:
            return True

    # captured data

    def _move(self) -> None:
        while not self._stopped.wait(MOVE_SECONDS):
            self.move()

    def move(self) -> None:
        """Move what was captured to the store; also after `stop`, for calls that were under way
        then."""
        try:
            self._spool.move(self._store)
        except (SagedockError, OSError) as error:  # it lies safe, and the next move tries again
            self._tell(f"captured data can't be moved: {error}")

    # asynchronous requests

    def _work(self) -> None:
        while not self._stopped.wait(_LOOK_SECONDS):
            try:
                self._take()
            except Exception as error:  # a database that is locked for long, say: the next turn
                self._tell(f"asynchronous requests can't be taken: {error}")

    def _take(self) -> None:
        self._at_work = {future for future in self._at_work if not future.done()}
        free = self._limit() - len(self._at_work)
        if self._pool and free > 0 and self._queue.waiting(self._name):
            for request in self._queue.take(self._name, free):
                self._at_work.add(self._pool.submit(self._work_off, request))

    def _limit(self) -> int:
        """How many requests may be under way at a time."""
        endpoint = self._records.get(self._name)
        config = endpoint.request.get("AsyncInferenceConfig")
        if not config:
            return 0
        each = config.get("ClientConfig", {}).get("MaxConcurrentInvocationsPerInstance", CONCURRENT)
        return min(_MOST, int(each) * len({route.instance for route in endpoint.routes}))

    def _work_off(self, request: AsyncRequest) -> None:
        what = f"asynchronous request {request.inference_id}"
        try:
            self._worker.invoke(request)
        except (SagedockError, OSError) as error:
            if self._broken_off and not self._is_deleted():
                return  # it is for the next owner
            self._tell(f"{what} failed: {error}")
            self._fail(request, getattr(error, "message", str(error)), what)
        self._queue.done(request.number)

    def _fail(self, request: AsyncRequest, reason: str, what: str) -> None:
        try:
            self._worker.fail(request, reason)
        except (SagedockError, OSError) as problem:
            self._tell(f"the failure of {what} can't be written: {problem}")

    def _tell(self, text: str) -> None:
        print(f"sagedock: endpoint {self._name}: {text}", file=sys.stderr, flush=True)
