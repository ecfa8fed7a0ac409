"""Watches a job on AWS to its end: its status as it changes, its log with the tail intact.

Watching changes nothing. What passes by itself (throttling, a connection that broke off) is waited
out; who stops watching can go on later where the watching stopped.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from sagedock.aws.calls import is_expired, may_pass
from sagedock.aws.logs import Event, LogReader
from sagedock.engine.plan import LogLine
from sagedock.errors import AwsError, SagedockError
from sagedock.launch.aws.seen import ENDED, ended, hosts, seen
from sagedock.launch.listeners import notes_of
from sagedock.launch.place import Ended
from sagedock.local.records import Job, Kind

if TYPE_CHECKING:
    from sagedock.local.execution import Listener

GROUPS = {
    Kind.TRAINING: "/aws/sagemaker/TrainingJobs",
    Kind.PROCESSING: "/aws/sagemaker/ProcessingJobs",
    Kind.TRANSFORM: "/aws/sagemaker/TransformJobs",
}
_Found = TypeVar("_Found")


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Seconds: between two looks at first and at most; how long a log has to be silent after the
    job's end until it is believed to be whole (CloudWatch takes events in late); how long trouble
    that may pass is put up with."""

    first: float = 1.0
    most: float = 5.0
    silence: float = 8.0
    trouble: float = 300.0


class Watch:
    """One job that is watched. `describe` is its DescribeTrainingJob; `log` None leaves the log
    out; `price` says of a description what the job has cost so far."""

    def __init__(
        self,
        kind: Kind,
        describe: Callable[[], Mapping[str, Any]],
        log: LogReader | None,
        pace: Pace,
        price: Callable[[Mapping[str, Any]], str] = lambda answer: "",
    ) -> None:
        self._kind, self._describe, self._pace = kind, describe, pace
        self._log, self._price = log, price
        self._told, self._hosts = 0, 1
        self._job: Job | None = None
        self._lines: deque[Event] = deque()
        # The log may be read well while nobody tells the status, and the other way round.
        self._describing, self._reading = _Patience(pace.trouble), _Patience(pace.trouble)

    def run(self, listener: Listener | None) -> Ended:
        """Until the job has ended. Raises AwsError where watching can't go on; the job does."""
        pause = self._pace.first
        while True:
            job = self._look()
            self._gather(listener)
            if listener:
                self._tell(job, listener)
            if job and job.state.status in ENDED:
                self._show_tail(listener)
                return ended(job)
            time.sleep(pause)
            pause = min(pause * 1.2, self._pace.most)

    def _look(self) -> Job | None:
        answer = self._describing.through(self._describe)
        if answer is not None:
            self._job = seen(self._kind, answer, self._job)
            self._hosts = hosts(self._kind, answer)
        return self._job

    def _gather(self, listener: Listener | None) -> bool:
        """Get new lines; whether there are any, or trouble is in the way of them."""
        if self._log is None or listener is None:
            return False
        events = self._read(self._log.read, listener)
        self._lines.extend(events or ())
        return events is None or bool(events)

    def _show_tail(self, listener: Listener | None) -> None:
        """What comes after the end: until nothing has come for a while, then what came late."""
        silent = time.monotonic() + self._pace.silence
        while self._log and listener and time.monotonic() < silent:
            time.sleep(min(self._pace.first, self._pace.silence))
            if self._gather(listener):
                silent = time.monotonic() + self._pace.silence
            self._print(listener)
        if self._log and listener:
            self._lines.extend(self._read(self._log.late, listener) or ())
            self._print(listener)

    # telling: an interrupt may come anywhere, and what was not told by then is told later

    def _tell(self, job: Job | None, listener: Listener) -> None:
        """Each secondary status once, among the lines by its time."""
        transitions = job.state.transitions if job else ()
        while job and self._told < len(transitions):
            entered = transitions[: self._told + 1]
            self._print(listener, entered[-1].started)
            self._told += 1
            listener.status(replace(job, state=replace(job.state, transitions=entered)))
        self._print(listener)
        price = self._price(job.request) if job else ""
        if job and price and transitions:
            notes_of(listener)[1](f"{transitions[-1].status} - {job.name}, {price}")

    def _print(self, listener: Listener, until: float = math.inf) -> None:
        """The lines that have come, those from before `until`."""
        while self._lines and self._lines[0].timestamp / 1000 < until:
            event = self._lines.popleft()
            listener.log(LogLine(stamp=event.stamp, text=f"{self._word(event)}{event.text}"))

    def _word(self, event: Event) -> str:
        """Of several hosts each line says whose it is."""
        return f"[{host_of(event.stream)}] " if self._hosts > 1 else ""

    def _read(self, reading: Callable[[], list[Event]], listener: Listener) -> list[Event] | None:
        """New events; None where trouble is in the way that may pass."""
        try:
            return self._reading.through(reading)
        except SagedockError as error:
            if is_expired(error):
                raise
            self._log = None  # the job is worth watching without it
            note, _ = notes_of(listener)
            note(f"The log can't be read: {error.message}")
            return []


class _Patience:
    """Puts up with trouble that may pass, but not for ever."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: float | None = None

    def through(self, ask: Callable[[], _Found]) -> _Found | None:
        """What `ask` answers; None where trouble is in the way that may pass."""
        try:
            found = ask()
        except AwsError as error:
            now = time.monotonic()
            self._since = self._since or now
            if not may_pass(error) or now - self._since > self._seconds:
                raise
            return None
        self._since = None
        return found


def host_of(stream: str) -> str:
    """A stream's host: `churn/algo-1-1700000000` is algo-1's, a transform job's is an instance."""
    name = stream.partition("/")[2] or stream
    parts = name.split("-")
    return "-".join(parts[:2]) if parts[0] in {"algo", "i"} else name
