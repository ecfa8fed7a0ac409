"""Counters that all workers share, and their Prometheus text (D3.16).

One anonymous shared mapping, made before the fork; each worker writes its own slot, without locks,
and whoever is asked adds all of them up. A worker's successor goes on with its slot.
"""

from __future__ import annotations

import mmap
from bisect import bisect_left

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
"""Upper bounds of the latency histogram, in seconds."""

_CLASSES = ("2xx", "4xx", "5xx")
_ROWS, _BATCHES, _SECONDS = 3, 4, 5  # after the three status classes; seconds in microseconds
_OPEN = 6
"""Connections of a worker that serves, and one; 0 for a worker that doesn't."""
_BUCKETS = 7
SLOT = _BUCKETS + len(BOUNDS) + 1


class Counters:
    """Slots for `workers` workers, each of SLOT unsigned 64-bit numbers; and the master's two."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._cells = memoryview(mmap.mmap(-1, 8 * (SLOT * workers + 2))).cast("Q")

    def slot(self, worker: int) -> Slot:
        return Slot(self._cells, worker, self._workers)

    def set_alive(self, workers: int) -> None:
        self._cells[-2] = workers

    def restarted(self) -> None:
        self._cells[-1] += 1

    def text(self) -> str:
        """Sums over all workers in Prometheus' text format."""
        total = [sum(self._cells[i : SLOT * self._workers : SLOT]) for i in range(SLOT)]
        lines = ["# TYPE sagedock_invocations_total counter"]
        lines += [
            f'sagedock_invocations_total{{status="{name}"}} {total[i]}'
            for i, name in enumerate(_CLASSES)
        ]
        lines += _counter("sagedock_joined_rows_total", total[_ROWS])
        lines += _counter("sagedock_joined_predictions_total", total[_BATCHES])
        lines += _histogram(total)
        lines += _counter("sagedock_worker_restarts_total", self._cells[-1])
        lines += ["# TYPE sagedock_workers gauge", f"sagedock_workers {self._cells[-2]}"]
        lines += ["# TYPE sagedock_connections gauge"]
        lines += [
            f'sagedock_connections{{worker="{number}"}} {max(count - 1, 0)}'
            for number, count in enumerate(self._cells[_OPEN : SLOT * self._workers : SLOT])
        ]
        return "\n".join(lines) + "\n"


def _counter(name: str, value: int) -> list[str]:
    return [f"# TYPE {name} counter", f"{name} {value}"]


def _histogram(total: list[int]) -> list[str]:
    name = "sagedock_invocation_seconds"
    lines, running = [f"# TYPE {name} histogram"], 0
    for bound, count in zip((*BOUNDS, "+Inf"), total[_BUCKETS:], strict=True):
        running += count
        lines.append(f'{name}_bucket{{le="{bound}"}} {running}')
    return [*lines, f"{name}_sum {total[_SECONDS] / 1e6}", f"{name}_count {running}"]


class Slot:
    """One worker's counters; only that worker writes them (and the master, once it has ended)."""

    def __init__(self, cells: memoryview, worker: int, workers: int) -> None:
        self._cells = cells[worker * SLOT : (worker + 1) * SLOT]
        self._all_open = cells[_OPEN : SLOT * workers : SLOT]

    def open_connections(self, count: int) -> None:
        self._cells[_OPEN] = count + 1

    def leave(self) -> None:
        """The worker takes no connections any more."""
        self._cells[_OPEN] = 0

    def is_least_loaded(self) -> bool:
        """Whether no worker that serves has fewer connections."""
        return self._cells[_OPEN] <= min((n for n in self._all_open if n), default=0)

    def answered(self, status: int, seconds: float) -> None:
        cells = self._cells
        cells[0 if status < 400 else 1 if status < 500 else 2] += 1
        cells[_SECONDS] += int(seconds * 1e6)
        cells[_BUCKETS + bisect_left(BOUNDS, seconds)] += 1

    def joined(self, rows: int) -> None:
        self._cells[_ROWS] += rows
        self._cells[_BATCHES] += 1
