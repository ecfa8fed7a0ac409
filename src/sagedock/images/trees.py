"""Whether two images hold the same files: path, kind, mode, owner, size, content, link target.

Times are left out: they are the builder's, and no program of an image should depend on them.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass

_BLOCK = 1 << 20
_ENGINES = frozenset({"dev/console", "etc/hostname", "etc/hosts", "etc/resolv.conf",
                      "etc/mtab", ".dockerenv"})  # fmt: skip
"""What an engine puts into every container itself."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A file, folder or link of an image. `content` is a SHA-256, empty for what has none."""

    kind: str
    mode: str
    owner: str
    size: int
    content: str
    target: str


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One path that is not the same in both. `what` says in words what differs."""

    path: str
    what: str


def tree(files: tarfile.TarFile) -> dict[str, Entry]:
    """Every path of an archive of an image's files."""
    return {entry.name: _entry(files, entry) for entry in files if entry.name not in _ENGINES}


def _entry(files: tarfile.TarFile, entry: tarfile.TarInfo) -> Entry:
    return Entry(
        kind=entry.type.decode(),
        mode=f"{entry.mode:04o}",
        owner=f"{entry.uid}:{entry.gid}",
        size=entry.size,
        content=_digest(files, entry) if entry.isfile() else "",
        target=entry.linkname,
    )


def _digest(files: tarfile.TarFile, entry: tarfile.TarInfo) -> str:
    total = hashlib.sha256()
    content = files.extractfile(entry)
    while content is not None and (block := content.read(_BLOCK)):
        total.update(block)
    return total.hexdigest()


def differences(one: Mapping[str, Entry], other: Mapping[str, Entry]) -> list[Difference]:
    """What differs, by path."""
    found = []
    for path in sorted({*one, *other}):
        first, second = one.get(path), other.get(path)
        if first == second:
            continue
        if first is None or second is None:
            what = "only in the second" if first is None else "only in the first"
        else:
            a, b = asdict(first), asdict(second)
            what = ", ".join(
                name if name == "content" else f"{name} {a[name]} and {b[name]}"
                for name in a
                if a[name] != b[name]
            )
        found.append(Difference(path=f"/{path}", what=what))
    return found
