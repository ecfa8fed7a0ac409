"""Whether a further model has room (D5.3: 507 when it hasn't). Reads the kernel's own figures."""

from __future__ import annotations

import os
from pathlib import Path

from sagedock.runtime.serve.problems import Refusal

PROCESS_BYTES = 64 << 20
"""What a model's process needs besides its model."""
FACTOR = 2.0
"""Loading holds the file and the model at once."""

_LIMITS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def check_room(folder: str) -> None:
    """Raises Refusal 507 when the files in `folder` won't fit into what is free."""
    need, free = needed(folder), available()
    if need > free:
        raise Refusal(
            507,
            f"Loading {folder} needs about {need >> 20} MB; {free >> 20} MB are free.",
            needed=need,
            free=free,
        )


def needed(folder: str) -> int:
    size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    return PROCESS_BYTES + int(FACTOR * size)


def available() -> int:
    """Bytes that the machine has and the container's limit leaves."""
    free = _machine()
    for limit, usage in _LIMITS:
        try:
            most = int(Path(limit).read_text(encoding="ascii"))
            used = int(Path(usage).read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue
        free = min(free, most - used + _cache())
    return max(free, 0)


def _machine() -> int:
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
    except OSError:
        pass
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _cache() -> int:
    """File pages that count as used and can be dropped."""
    for path in ("/sys/fs/cgroup/memory.stat", "/sys/fs/cgroup/memory/memory.stat"):
        try:
            text = Path(path).read_text(encoding="ascii")
        except OSError:
            continue
        for line in text.splitlines():
            if line.startswith(("inactive_file ", "total_inactive_file ")):
                return int(line.split()[1])
    return 0
