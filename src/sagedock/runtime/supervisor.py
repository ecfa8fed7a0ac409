"""PID 1 of a container: one child, its signals, its orphans, its output, its exit code.

The training toolkit loses SIGTERM, and with it the user's last checkpoint (B7.1). Here signals go
to the child's whole process group, every orphan is reaped, and the child's output passes through
one pipe, so that its order is kept and its end is at hand when a cause has to be found.

Must not know SageMaker: no paths, no hyperparameters, no failure file.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import struct
import sys
import termios
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

TAIL_BYTES = 64 * 1024
"""How much of the output's end is kept to find the cause of a failure."""

FORWARDED = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
"""A6.1, J15: how the platform asks a container to stop."""

_REPORT_BYTES = 16 * 1024  # below the capacity of a pipe: the child never waits for a reader

Report = Callable[[str], None]
"""Called by a child before it becomes another program: what it is about to run."""

Body = Callable[[Report], int]
"""What the child does: it returns an exit code, or becomes another program and never returns."""


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How the child ended.

    `exit_code` is what a shell would say: 0 to 255, 128+n for a child killed by signal n.
    `killed_by` is that n. `stopped_by` is the stop signal that was passed on, if any.
    `tail` is the end of the child's output, `command` what the child reported to run.
    """

    exit_code: int
    killed_by: int | None
    stopped_by: int | None
    tail: bytes
    command: str


def supervise(body: Body, *, output: int = 1) -> Ending:
    """Runs `body` in a child and stays with it to its end; `output` is a file descriptor.

    Not to be called from a process with threads: it forks.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    return _Supervisor(output).run(body)


class _Tail:
    """The last bytes of a stream."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bytes = bytearray()

    def add(self, data: bytes) -> None:
        self._bytes += data
        if len(self._bytes) > 2 * self._limit:
            del self._bytes[: -self._limit]

    def value(self) -> bytes:
        return bytes(self._bytes[-self._limit :])


class _Supervisor:
    def __init__(self, output: int) -> None:
        self._output: int | None = output
        self._tail = _Tail(TAIL_BYTES)
        self._child = 0
        self._status: int | None = None
        self._stopped_by: int | None = None

    def run(self, body: Body) -> Ending:
        stream, child_end = os.pipe()
        told, tell = os.pipe()
        wake, waker = os.pipe()
        os.set_blocking(waker, False)
        os.set_blocking(wake, False)
        blocked = {*FORWARDED, signal.SIGCHLD}
        signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
        self._child = os.fork()
        if self._child == 0:
            _become(body, child_end, tell, blocked)
        _own_group(self._child)
        os.close(child_end)
        os.close(tell)
        self._listen(waker)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, blocked)
        try:
            self._follow(stream, wake)
        except BaseException:
            self._forward(signal.SIGKILL)
            raise
        return self._ending(told)

    def _listen(self, waker: int) -> None:
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        for number in FORWARDED:
            signal.signal(number, self._on_signal)
        # A handler must exist for SIGCHLD to wake the loop up; reaping is the loop's job.
        signal.signal(signal.SIGCHLD, lambda number, frame: None)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        """Runs even while a write to a slow log is blocked."""
        if number in STOP_SIGNALS and self._stopped_by is None:
            self._stopped_by = number
        self._forward(number)

    def _forward(self, number: int) -> None:
        if self._status is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child, number)

    def _follow(self, stream: int, wake: int) -> None:
        poll = select.poll()
        poll.register(stream, select.POLLIN)
        poll.register(wake, select.POLLIN)
        self._reap()
        while self._status is None:
            for descriptor, _event in poll.poll():
                if descriptor == wake:
                    _discard(wake)
                elif not self._copy(stream):
                    poll.unregister(stream)
            self._reap()
        self._drain(stream)

    def _reap(self) -> None:
        """Takes in the child and every orphan that PID 1 inherits."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._child:
                self._status = status

    def _copy(self, stream: int, limit: int = 1 << 16) -> int:
        """Passes on what can be read; 0 at the end of the stream."""
        data = os.read(stream, limit)
        self._tail.add(data)
        self._write(data)
        return len(data)

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view and self._output is not None:
            try:
                view = view[os.write(self._output, view) :]
            except BlockingIOError:
                select.select([], [self._output], [])
            except OSError:
                self._output = None  # nobody reads the log any more; the training goes on

    def _drain(self, stream: int) -> None:
        """What the child has written, without waiting for processes it left behind (A5.8)."""
        left = _readable(stream)
        while left > 0:
            copied = self._copy(stream, left)
            left = left - copied if copied else 0

    def _ending(self, told: int) -> Ending:
        if self._status is None:
            raise RuntimeError("the child's exit status was lost")
        code = os.waitstatus_to_exitcode(self._status)
        os.set_blocking(told, False)
        command = b""
        with contextlib.suppress(BlockingIOError):
            command = os.read(told, _REPORT_BYTES)
        return Ending(
            exit_code=code if code >= 0 else 128 - code,
            killed_by=-code if code < 0 else None,
            stopped_by=self._stopped_by,
            tail=self._tail.value(),
            command=command.decode("utf-8", "replace"),
        )


def _own_group(pid: int) -> None:
    """Called on both sides of the fork, so that no signal comes before the group exists."""
    with contextlib.suppress(OSError):
        os.setpgid(pid, pid)


def _discard(descriptor: int) -> None:
    with contextlib.suppress(BlockingIOError):
        while os.read(descriptor, 4096):
            pass


def _readable(stream: int) -> int:
    """Bytes waiting in a pipe."""
    answer = fcntl.ioctl(stream, termios.FIONREAD, struct.pack("i", 0))
    return int(struct.unpack("i", answer)[0])


def _become(body: Body, output: int, tell: int, blocked: set[signal.Signals]) -> NoReturn:
    """The child's side of the fork: never returns into the supervisor's code."""
    code = 1
    try:
        _own_group(0)
        _default_signals(blocked)
        os.dup2(output, 1)
        os.dup2(output, 2)
        code = body(lambda text: _tell(tell, text))
    except SystemExit as leaving:
        code = _exit_code(leaving.code)
    except BaseException:
        traceback.print_exc()
    finally:
        _flush()
        os._exit(code & 0xFF or (1 if code else 0))


def _default_signals(blocked: set[signal.Signals]) -> None:
    for number in (*FORWARDED, signal.SIGPIPE, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, blocked)


def _tell(descriptor: int, text: str) -> None:
    os.write(descriptor, text.encode("utf-8", "replace")[:_REPORT_BYTES])


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()


def _exit_code(code: object) -> int:
    """What the interpreter makes of SystemExit's code."""
    if code is None:
        return 0
    if isinstance(code, int):
        return code
    sys.stderr.write(f"{code}\n")
    return 1
