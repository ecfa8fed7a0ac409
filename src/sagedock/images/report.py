"""What an image is made of: its layers, what changed since the last one, what weighs most.

Pure but for the archive of an image's files, which `weights` reads. Must not know clients.
"""

from __future__ import annotations

import re
import tarfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_WITHOUT_LAYER = re.compile(
    r"(/bin/sh -c #\(nop\)\s+)?"
    r"(ARG|CMD|ENTRYPOINT|ENV|EXPOSE|HEALTHCHECK|LABEL|MAINTAINER|ONBUILD|SHELL|STOPSIGNAL|USER|"
    r"VOLUME|WORKDIR)\b"
)
_SHELL = re.compile(r"^(RUN )?(\|\d+ (\S+=.*? )*?)?/bin/sh -c (#\(nop\)\s+)?")
_SITE = re.compile(r"(?P<site>.*/(?:site|dist)-packages)/(?P<first>[^/]+)(?:/(?P<second>[^/]+))?")
_ENDING = re.compile(r"(\.libs|\.(py|pth|zip|data)|\.cpython.*|\.abi3\.so|\.so)$")
_DIST_INFO = re.compile(r"(?P<name>.+?)-[^-]+\.dist-info")


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer: its digest (unpacked), bytes, and the instruction that made it."""

    digest: str
    size: int
    instruction: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """An image as far as two of a name can be compared. `size` in bytes, all layers."""

    id: str
    size: int
    layers: tuple[Layer, ...]


@dataclass(frozen=True, kw_only=True)
class Change:
    """From the last image of a name to this one. Bytes; `added` are the layers that it had not."""

    size: int
    reused: int
    reused_size: int
    added: tuple[Layer, ...]
    removed: tuple[Layer, ...]


@dataclass(frozen=True, kw_only=True)
class Weight:
    """A Python package or a folder, and the bytes of its files."""

    what: str
    size: int


def facts(document: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> Facts:
    """From the engine's document and history (oldest first) of an image."""
    digests = list((document.get("RootFS") or {}).get("Layers") or ())
    return Facts(id=document["Id"], size=document["Size"], layers=tuple(_layers(digests, history)))


def _layers(digests: Sequence[str], history: Sequence[Mapping[str, Any]]) -> Iterator[Layer]:
    """The engine does not say which step made which layer: those that can make none are left out,
    then as many of those that made nothing as there are too many. WORKDIR makes one or none."""
    steps = [row for row in history if row["Size"] or not _is_bare(row)]
    if len(steps) < len(digests):
        steps = [row for row in history if row in steps or _is_workdir(row)]
    for row in [row for row in steps if not row["Size"]][: max(0, len(steps) - len(digests))]:
        steps.remove(row)
    if len(steps) != len(digests):
        yield from (Layer(digest=digest, size=0, instruction="") for digest in digests)
        return
    for digest, row in zip(digests, steps, strict=True):
        yield Layer(digest=digest, size=row["Size"], instruction=_instruction(row))


def _is_bare(row: Mapping[str, Any]) -> bool:
    return bool(_WITHOUT_LAYER.match(row["CreatedBy"]))


def _is_workdir(row: Mapping[str, Any]) -> bool:
    return "WORKDIR " in row["CreatedBy"]


def _instruction(row: Mapping[str, Any]) -> str:
    """As in a Dockerfile, on one line; an imported layer by its comment."""
    made_by = row["CreatedBy"] or f"imported: {row.get('Comment') or 'no comment'}"
    text = re.sub(r"\s+# buildkit$", "", made_by)
    if _SHELL.match(text) and "#(nop)" not in text:
        return " ".join(("RUN " + _SHELL.sub("", text)).split())
    return " ".join(_SHELL.sub("", text).split())


def compare(old: Facts, new: Facts) -> Change:
    """What the new image has that the old one had not, layer by layer."""
    before, after = ({layer.digest for layer in image.layers} for image in (old, new))
    reused = [layer for layer in new.layers if layer.digest in before]
    return Change(
        size=new.size - old.size,
        reused=len(reused),
        reused_size=sum(layer.size for layer in reused),
        added=tuple(layer for layer in new.layers if layer.digest not in before),
        removed=tuple(layer for layer in old.layers if layer.digest not in after),
    )


def weights(files: tarfile.TarFile) -> list[Weight]:
    """Python's packages, and other folders two or three levels deep, the heaviest first. A package
    is told by its folder; what a wheel puts beside it (`numpy.libs`) counts with it."""
    sizes: dict[str, int] = defaultdict(int)
    for entry in files:
        if entry.isfile():
            sizes[_owner(entry.name)] += entry.size
    found = [Weight(what=what, size=size) for what, size in sizes.items()]
    return sorted(found, key=lambda weight: (-weight.size, weight.what))


def _owner(path: str) -> str:
    match = _SITE.match(path)
    if match is None:
        folders = path.split("/")[:-1]
        return "/" + "/".join(folders[: 3 if folders[:1] in (["usr"], ["opt"]) else 2])
    first = match["first"]
    if first == "__pycache__":
        first = (match["second"] or "").partition(".")[0]
    info = _DIST_INFO.fullmatch(first)
    name = info["name"] if info else _ENDING.sub("", first)
    return f"{name.replace('-', '_')} (Python)"


def megabytes(size: float) -> str:
    """`298.4 MB`; of ten to the sixth, as engines count."""
    return f"{size / 1e6:.1f} MB"
