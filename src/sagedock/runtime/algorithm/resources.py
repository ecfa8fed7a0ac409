"""What the container may use: CPUs and memory, as its control group allows. Knows no XGBoost.

A container that takes all of the machine's cores beside another one runs several times slower, so
the number of threads follows the quota and the affinity, not the machine.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def cpus(cgroup: Path = CGROUP) -> int:
    """CPUs this process may use, at least 1."""
    return max(1, min(_affinity(), *_quotas(cgroup)))


def _affinity() -> int:
    # macOS, where unit tests may run, has no affinity
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quotas(cgroup: Path) -> list[int]:
    """The quota rounded up: version 2 in one file, version 1 in two; [] would mean no quota."""
    texts = (_text(cgroup / "cpu.max"), _version_1(cgroup / "cpu"))
    found = [quota for text in texts if (quota := parse_quota(text)) is not None]
    return found or [_affinity()]


def _version_1(folder: Path) -> str:
    return f"{_text(folder / 'cpu.cfs_quota_us')} {_text(folder / 'cpu.cfs_period_us')}"


def parse_quota(text: str) -> int | None:
    """CPUs of `"150000 100000"` (2); None for `"max 100000"`, `"-1 100000"` and anything else."""
    parts = text.split()
    if len(parts) != 2 or not all(part.isdigit() for part in parts) or int(parts[1]) == 0:
        return None
    return max(1, math.ceil(int(parts[0]) / int(parts[1])))


def free_memory(cgroup: Path = CGROUP, meminfo: Path = Path("/proc/meminfo")) -> int | None:
    """Bytes this process may still take, as far as is known."""
    known = [size for size in (_machine_memory(meminfo), _group_memory(cgroup)) if size is not None]
    return min(known) if known else None


def _machine_memory(meminfo: Path) -> int | None:
    for line in _text(meminfo).splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _group_memory(cgroup: Path) -> int | None:
    pairs = (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    )
    for limit, usage in pairs:
        texts = (_text(cgroup / limit), _text(cgroup / usage))
        if all(text.isdigit() for text in texts):
            return max(0, int(texts[0]) - int(texts[1]))
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
