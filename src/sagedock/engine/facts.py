"""What an engine says of itself and of the machine it runs on."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sagedock.engine.docker import Engine


@dataclass(frozen=True, kw_only=True)
class EngineFacts:
    """One engine. `cpus` and `memory` (bytes) are its machine's; `root` is where it keeps images,
    on its machine; `ahead` is how many seconds its clock is ahead of ours."""

    version: str
    api_version: str
    driver: str
    system: str
    architecture: str
    cpus: int
    memory: int
    root: str
    rootless: bool
    ahead: float
    proxy: str


def facts(engine: Engine) -> EngineFacts:
    """Ask the engine. Raises EngineError."""
    before = time.time()
    found = engine.info()
    now = (before + time.time()) / 2
    return EngineFacts(
        version=found.get("ServerVersion") or "unknown",
        api_version=engine.api_version,
        driver=found.get("Driver") or "unknown",
        system=found.get("OperatingSystem") or "unknown",
        architecture=found.get("Architecture") or "unknown",
        cpus=int(found.get("NCPU") or 0),
        memory=int(found.get("MemTotal") or 0),
        root=found.get("DockerRootDir") or "",
        rootless=any("rootless" in option for option in found.get("SecurityOptions") or ()),
        ahead=_ahead(found, now),
        proxy=found.get("HttpsProxy") or found.get("HttpProxy") or "",
    )


def moment(text: str) -> datetime | None:
    """A time as the engine writes it: with nanoseconds, which Python's datetime hasn't."""
    try:
        return datetime.fromisoformat(re.sub(r"(\.\d{6})\d*", r"\1", text))
    except ValueError:
        return None


def _ahead(found: dict[str, Any], now: float) -> float:
    there = moment(str(found.get("SystemTime") or ""))
    return there.timestamp() - now if there else 0.0
