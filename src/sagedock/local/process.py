"""Who owns a job: a process, by pid and start time, so that a reused pid is not taken for it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Owner:
    """A process of this machine."""

    pid: int
    started: str

    @classmethod
    def me(cls) -> Owner:
        """This process."""
        return cls.of(os.getpid())

    @classmethod
    def of(cls, pid: int) -> Owner:
        """The process that has this pid now."""
        return cls(pid=pid, started=_start_of(pid) or "")

    def is_alive(self) -> bool:
        """Whether that very process still runs."""
        return _start_of(self.pid) == self.started


def _start_of(pid: int) -> str | None:
    """A text that no other process with this pid has had or will have; None for no process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None if Path("/proc/self/stat").exists() else _start_by_ps(pid)
    if fields[0] in {"Z", "X"}:  # ended, not yet reaped
        return None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}:{fields[19]}"


def _start_by_ps(pid: int) -> str | None:
    """Where there is no /proc (macOS)."""
    answer = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip() or None
