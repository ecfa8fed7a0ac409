"""Log lines in the form of the built-in container. Knows nothing of what is logged.

Everything goes to standard output and is flushed: a line held back is lost to a SIGKILL (A4.4).
"""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Log:
    """Prints `[2026-11-24:08:00:00:INFO] text`. `chatty` lets debug lines through."""

    chatty: bool = False

    def info(self, text: str) -> None:
        _print("INFO", text)

    def warning(self, text: str) -> None:
        _print("WARNING", text)

    def debug(self, text: str) -> None:
        if self.chatty:
            _print("DEBUG", text)


def _print(level: str, text: str) -> None:
    print(f"[{time.strftime('%Y-%m-%d:%H:%M:%S')}:{level}] {text}", flush=True)
