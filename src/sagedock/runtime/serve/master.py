"""PID 1 of a serving container: binds the socket, forks the workers, keeps their number.

Nothing numerical ever runs here: a parent whose numerical library has threads must not fork.
/ping can't be answered before all workers are ready, since nobody listens until then (D3.6).

Must not know models or HTTP.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any, TextIO

from sagedock.runtime.serve.metrics import Counters
from sagedock.runtime.serve.problems import ServingError
from sagedock.runtime.serve.worker import GO, RECYCLE, Place, leave

STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
LAST_SECONDS = 27.0
"""From the stop signal to SIGKILL for the workers: D1.4 leaves 30."""
MOST_FAILURES = 5
"""Successors that can't start, one after the other, before the container gives up."""

Body = Callable[[Place], int]


@dataclass(kw_only=True)
class _Worker:
    number: int
    pid: int
    line: socket.socket
    ready: bool = False
    serving: bool = False


def bind(port: int) -> socket.socket:
    """A socket on all interfaces (D3.1) that nobody listens on yet."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("0.0.0.0", port))
    except OSError as error:
        raise ServingError(
            f"Port {port} can't be used: {error.strerror}.",
            hint="It comes from SAGEMAKER_BIND_TO_PORT, else it is 8080.",
        ) from error
    listener.setblocking(False)
    return listener


class Master:
    """`workers` processes that run `body` on one socket."""

    def __init__(
        self, body: Body, listener: socket.socket, counters: Counters, *, workers: int
    ) -> None:
        self._body = body
        self._listener = listener
        self._counters = counters
        self._wanted = workers
        self._workers: dict[int, _Worker] = {}
        self._told_to_stop = False
        self._stopped_at: float | None = None
        self._failures = 0
        self._started = False
        self._code = 0

    def run(self) -> int:
        """Exit code: 0 after a stop signal, 1 when the workers can't start."""
        wake = self._listen_to_signals()
        for number in range(self._wanted):
            self._start(number)
        while self._workers:
            self._wait(wake)
            if self._told_to_stop:
                self._told_to_stop = False
                self._stop()
            self._reap()
            self._open()
            self._end_late_ones()
        return self._code

    def _listen_to_signals(self) -> int:
        wake, waker = os.pipe()
        for descriptor in (wake, waker):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        for number in STOPPING:
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        return wake

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        """Only noted: a signal comes in the middle of anything."""
        self._told_to_stop = True

    def _stop(self) -> None:
        if self._stopped_at is None:
            self._stopped_at = time.monotonic()
            self._listener.close()
        for worker in list(self._workers.values()):
            _send(worker.pid, signal.SIGTERM)

    def _start(self, number: int) -> None:
        ours, theirs = socket.socketpair()
        sys.stdout.flush()
        sys.stderr.flush()
        blocked = {*STOPPING, signal.SIGCHLD}
        signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
        pid = os.fork()
        if pid == 0:
            ours.close()
            self._become(Place(number=number, listener=self._listener, line=theirs), blocked)
        theirs.close()
        self._workers[pid] = _Worker(number=number, pid=pid, line=ours)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, blocked)

    def _become(self, place: Place, blocked: set[signal.Signals]) -> None:
        """The worker's side of the fork; never returns."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in (*STOPPING, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            for sibling in self._workers.values():
                sibling.line.close()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, blocked)
            code = self._body(place)
        except BaseException as error:
            print(f"sagedock: error: a worker failed: {error!r}", file=sys.stderr)
        finally:
            leave(code)

    def _wait(self, wake: int) -> None:
        lines: dict[Any, _Worker] = {w.line: w for w in self._workers.values() if not w.ready}
        timeout = None if self._stopped_at is None else 0.25
        readable, _, _ = select.select([wake, *lines], [], [], timeout)
        if wake in readable:
            with contextlib.suppress(BlockingIOError):
                while os.read(wake, 4096):
                    pass
        for line in readable:
            if line in lines and line.recv(1):
                lines[line].ready = True

    def _reap(self) -> None:
        """Workers that ended, and every orphan that PID 1 inherits."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            worker = self._workers.pop(pid, None)
            if worker is not None:
                worker.line.close()
                self._counters.slot(worker.number).leave()
                self._ended(worker, os.waitstatus_to_exitcode(status))

    def _ended(self, worker: _Worker, code: int) -> None:
        if self._stopped_at is not None:
            return
        self._failures = 0 if worker.serving else self._failures + 1
        if not self._started or self._failures >= MOST_FAILURES:
            self._give_up(worker, code)
            return
        if code != RECYCLE:
            _say(f"sagedock: worker {worker.pid} {_how(code)}; another one starts")
        self._counters.restarted()
        self._start(worker.number)

    def _give_up(self, worker: _Worker, code: int) -> None:
        _say(
            f"sagedock: error: a worker {_how(code)} before it could serve; the container ends.",
            sys.stderr,
        )
        self._code = 1
        self._stop()

    def _open(self) -> None:
        """Lets ready workers serve: all together the first time, successors at once."""
        ready = [worker for worker in self._workers.values() if worker.ready]
        if self._stopped_at is None and (self._started or len(ready) == self._wanted):
            for worker in ready:
                if not worker.serving:
                    worker.serving = True
                    with contextlib.suppress(OSError):
                        worker.line.sendall(GO)
            if not self._started:
                self._started = True
                port = self._listener.getsockname()[1]
                _say(f"sagedock: {self._wanted} workers serve on port {port}")
        self._counters.set_alive(sum(worker.serving for worker in self._workers.values()))

    def _end_late_ones(self) -> None:
        if self._stopped_at is None or time.monotonic() - self._stopped_at < LAST_SECONDS:
            return
        for worker in self._workers.values():
            _send(worker.pid, signal.SIGKILL)


def _say(line: str, stream: TextIO | None = None) -> None:
    """In one piece: workers write to the same log."""
    out = stream or sys.stdout
    out.write(f"{line}\n")
    out.flush()


def _send(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _how(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
