"""What lies in an image, layer by layer, from what `docker save` writes: read as a stream, never
laid down. Must not know what is looked for.
"""

from __future__ import annotations

import gzip
import io
import json
import posixpath
import tarfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, cast

from sagedock.engine.container import Reader

_BUFFER = 1 << 20
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_HOPS = 40

Wanted = Callable[[str], int]
"""How many of a file's first bytes are wanted, by its path; mostly none."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry of a layer; `link` is where a link leads, `head` what was wanted of a file."""

    mode: int
    size: int
    is_file: bool
    is_folder: bool
    link: str | None = None
    head: bytes = b""

    @property
    def is_executable(self) -> bool:
        """Whether root may run it."""
        return self.is_file and bool(self.mode & 0o111)


Entries = Mapping[str, Entry]
"""Path (`usr/bin/python3`, no slash before it) to entry."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer: what it adds, and in `whiteouts` what it takes away. `size` in bytes, unpacked.
    `readable` is False for one that is packed in a way that can't be read here (zstd)."""

    entries: Entries
    whiteouts: Sequence[str]
    size: int
    readable: bool = True


def read(chunks: Iterable[bytes], wanted: Wanted) -> list[Layer]:
    """The layers of the one image in the archive, the lowest first."""
    stream = io.BufferedReader(Reader(chunks), _BUFFER)
    found: dict[str, Layer] = {}
    links: dict[str, str] = {}
    order: list[str] = []
    with tarfile.open(fileobj=stream, mode="r|", bufsize=_BUFFER) as archive:
        for member in archive:
            if member.issym():
                link = posixpath.join(posixpath.dirname(member.name), member.linkname)
                links[member.name] = posixpath.normpath(link)
            elif member.name == "manifest.json":
                document = json.load(cast("IO[bytes]", archive.extractfile(member)))
                order = document[0]["Layers"] or []
            elif member.isfile() and (member.name.endswith("layer.tar") or "/" in member.name):
                layer = _layer(cast("io.BufferedReader", archive.extractfile(member)), wanted)
                if layer:
                    found[member.name] = layer
    return [found[links.get(name, name)] for name in order]


def _layer(data: io.BufferedReader, wanted: Wanted) -> Layer | None:
    """A layer, None for what is none (a configuration, a version)."""
    head = data.peek(512)[:512]
    if head.startswith(_ZSTD):
        return Layer(entries={}, whiteouts=(), size=0, readable=False)
    if head.startswith(_GZIP):
        return _unpacked(cast("IO[bytes]", gzip.GzipFile(fileobj=data)), wanted)
    if head[257:262] == b"ustar" or (head and not any(head)):
        return _unpacked(data, wanted)
    return None


def _unpacked(data: IO[bytes], wanted: Wanted) -> Layer:
    entries: dict[str, Entry] = {}
    whiteouts: list[str] = []
    size = 0
    with tarfile.open(fileobj=data, mode="r|", bufsize=_BUFFER) as archive:
        for member in archive:
            path = posixpath.normpath(f"/{member.name}").lstrip("/")
            if posixpath.basename(path).startswith(_WHITEOUT):
                whiteouts.append(path)
                continue
            size += member.size
            entries[path] = _entry(archive, member, wanted(path) if member.isreg() else 0)
    return Layer(entries=entries, whiteouts=whiteouts, size=size)


def _entry(archive: tarfile.TarFile, member: tarfile.TarInfo, wanted: int) -> Entry:
    head = b""
    if wanted:
        head = cast("IO[bytes]", archive.extractfile(member)).read(wanted)
    link: str | None = None
    if member.issym():
        link = member.linkname
    elif member.islnk():
        link = f"/{member.linkname.lstrip('./')}"
    return Entry(
        mode=member.mode, size=member.size, is_file=member.isreg() or member.islnk(),
        is_folder=member.isdir(), link=link, head=head,
    )  # fmt: skip


def merged(layers: Iterable[Layer]) -> dict[str, Entry]:
    """What a container sees: all layers on top of each other."""
    tree: dict[str, Entry] = {}
    for layer in layers:
        for whiteout in layer.whiteouts:
            _take_away(tree, whiteout)
        tree.update(layer.entries)
    return tree


def _take_away(tree: dict[str, Any], whiteout: str) -> None:
    folder, name = posixpath.split(whiteout)
    if name == _OPAQUE:
        gone = [path for path in tree if path.startswith(f"{folder}/")]
    else:
        target = posixpath.join(folder, name.removeprefix(_WHITEOUT))
        gone = [path for path in tree if path == target or path.startswith(f"{target}/")]
    for path in gone:
        del tree[path]


def resolve(tree: Entries, path: str) -> tuple[str, Entry] | None:
    """What a path leads to, links in it and at its end followed; None where that is nothing."""
    rest, done = path.strip("/").split("/"), ""
    for _ in range(_HOPS):
        for index, part in enumerate(rest):
            done = posixpath.normpath(posixpath.join("/", done, part)).lstrip("/")
            entry = tree.get(done)
            if entry and entry.link is not None:
                base = posixpath.join("/", posixpath.dirname(done), entry.link)
                following = posixpath.normpath(base).strip("/")
                rest, done = [*following.split("/"), *rest[index + 1 :]], ""
                break
        else:
            entry = tree.get(done)
            return (f"/{done}", entry) if entry else None
    return None
