"""What a check has found. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is: a warning is what may do harm, a failure is what will."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at: what was found, and, unless all is well, what to do."""

    check: str
    level: Level
    found: str
    remedy: str = ""


def ok(check: str, found: str) -> Finding:
    """All is well."""
    return Finding(check=check, level=Level.OK, found=found)


def warning(check: str, found: str, remedy: str) -> Finding:
    """It may do harm, or could not be looked at."""
    return Finding(check=check, level=Level.WARNING, found=found, remedy=remedy)


def failure(check: str, found: str, remedy: str) -> Finding:
    """It will do harm."""
    return Finding(check=check, level=Level.FAILURE, found=found, remedy=remedy)
