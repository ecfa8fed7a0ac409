"""Entries of hashed locks, taken out of sagedock's own: what a new project on another base needs,
locked without asking an index. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

_ENTRY = re.compile(
    r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[^\s;\\]+)"
    r"(?P<rest>[^\n]*\n(?:[ ]+.*\n?)*)",
    re.MULTILINE,
)
_COMMENT = re.compile(r"^ +#.*\n?", re.MULTILINE)
_USER = re.compile(r"#\s+(?:via\s+)?([A-Za-z0-9][A-Za-z0-9._-]*)\s*$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One package of a lock: its lines, and which packages brought it there."""

    name: str
    version: str
    text: str
    users: frozenset[str]


def entries(locks: Iterable[str]) -> dict[str, Entry]:
    """Every package of these locks, by name; of one that several have, the first one's lines."""
    found: dict[str, Entry] = {}
    for lock in locks:
        for match in _ENTRY.finditer(lock):
            name, users = match["name"], frozenset(_USER.findall(match["rest"])) - {"via"}
            if name in found:
                found[name] = replace(found[name], users=found[name].users | users)
            else:
                text = _COMMENT.sub("", match[0])
                found[name] = Entry(name=name, version=match["version"], text=text, users=users)
    return found


def closure(held: Mapping[str, Entry], wanted: Iterable[str]) -> str:
    """A lock's text with the wanted packages and all that they bring; KeyError for one that is not
    held."""
    chosen = {name: held[name] for name in wanted}
    while more := {
        name: entry
        for name, entry in held.items()
        if name not in chosen and not entry.users.isdisjoint(chosen)
    }:
        chosen |= more
    return "".join(chosen[name].text for name in sorted(chosen))
