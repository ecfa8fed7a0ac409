"""A build's progress, read from the plain lines of BuildKit or of the classic builder. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_STEP = re.compile(r"#(?P<id>\d+) (?P<name>\[.+)")
_END = re.compile(r"#(?P<id>\d+) (?P<how>DONE|CACHED|ERROR|CANCELED)\b ?(?P<seconds>[\d.]+)?s?")
_CLASSIC = re.compile(r"Step (?P<number>\d+)/(?P<all>\d+) : (?P<name>.+)")


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step that has begun (`how` empty) or ended: DONE, CACHED, ERROR, CANCELED."""

    id: str
    name: str
    how: str = ""
    seconds: float = 0.0


class Steps:
    """Reads line after line; remembers what has begun, so that an end can be told by its name."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def read(self, line: str) -> Step | None:
        """What this line says of a step; None where it says nothing new."""
        if end := _END.match(line):
            name = self._names.pop(end["id"], "")
            seconds = float(end["seconds"] or 0)
            return Step(id=end["id"], name=name, how=end["how"], seconds=seconds) if name else None
        found = _STEP.match(line)
        if found and found["id"] not in self._names:
            self._names[found["id"]] = found["name"]
            return Step(id=found["id"], name=found["name"])
        classic = _CLASSIC.match(line)
        if classic:
            name = f"[{classic['number']}/{classic['all']}] {classic['name']}"
            return Step(id=f"step {classic['number']}", name=name)
        return None
