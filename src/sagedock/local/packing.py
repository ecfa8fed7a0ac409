"""Trees on their way out of and into containers: tar streams, never unpacked on this machine.

The same tree gives the same bytes: entries in the order of their names, times and owners zeroed.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, BinaryIO, cast

from isal import igzip_threaded

from sagedock.engine.container import Reader
from sagedock.errors import InputError

_BUFFER = 1 << 20
_LEVEL = 2
_THREADS = 2
_KEPT = frozenset(
    {tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE}
)


@dataclass(frozen=True, kw_only=True)
class Packed:
    """What was packed: number of files (folders not counted), and the symbolic links in it."""

    files: int
    links: tuple[str, ...]


def members(chunks: Iterable[bytes]) -> Iterator[tuple[tarfile.TarInfo, BinaryIO | None]]:
    """Entries of the engine's tar stream of one folder, named relative to that folder."""
    stream = io.BufferedReader(Reader(chunks), _BUFFER)
    with tarfile.open(fileobj=stream, mode="r|", bufsize=_BUFFER) as archive:
        for entry in archive:
            name = _below(entry.name)
            if name and entry.type in _KEPT:
                entry.name = name
                data = archive.extractfile(entry) if entry.isreg() else None
                yield entry, cast("BinaryIO | None", data)


def pack(chunks: Iterable[bytes], target: BinaryIO) -> Packed:
    """Write the engine's tar stream of a folder as a reproducible tar.gz."""
    files, links = 0, []
    # isal cuts the data into blocks of one size, so the bytes do not depend on the threads.
    with (
        igzip_threaded.open(target, "wb", compresslevel=_LEVEL, threads=_THREADS) as zipped,
        tarfile.open(  # type: ignore[call-overload]  # typeshed lacks copybufsize
            fileobj=cast("IO[bytes]", zipped),
            mode="w|",
            format=tarfile.PAX_FORMAT,
            bufsize=_BUFFER,
            copybufsize=_BUFFER,
        ) as archive,
    ):
        for entry, data in members(chunks):
            archive.addfile(_plain(entry), data)
            files += not entry.isdir()
            if entry.issym():
                links.append(entry.name)
    return Packed(files=files, links=tuple(links))


def _below(name: str) -> str:
    """A name without the folder's own name before it; empty for the folder itself."""
    return name.partition("/")[2].strip("/")


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    clean = tarfile.TarInfo(entry.name)
    clean.type, clean.size, clean.mode = entry.type, entry.size, entry.mode
    clean.linkname = _below(entry.linkname) if entry.islnk() else entry.linkname
    return clean


def code_tar(archive: BinaryIO, source: str, folder: str) -> Iterator[bytes]:
    """A sourcedir.tar.gz as a plain tar to be unpacked at `folder` in a container.

    Raises InputError where it is no tar.gz or an entry would leave the folder.
    """
    buffer = io.BytesIO()
    try:
        with (
            tarfile.open(fileobj=archive, mode="r:gz") as packed,
            tarfile.open(fileobj=buffer, mode="w|") as plain,
        ):
            for entry in packed:
                safe = _owned_by_root(tarfile.data_filter(entry, folder))
                plain.addfile(safe, packed.extractfile(entry) if entry.isreg() else None)
                yield _taken(buffer)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise InputError(
            f"{source} can't be unpacked as source code: {error}.",
            hint="Expected a tar.gz of the source folder, its entries relative to that folder.",
        ) from error
    yield _taken(buffer)


def _owned_by_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """data_filter leaves owner (and a folder's mode) open; in a container they are root's."""
    mode = entry.mode if isinstance(entry.mode, int) else 0o755
    return entry.replace(uid=0, gid=0, uname="", gname="", mode=mode)


def _taken(buffer: io.BytesIO) -> bytes:
    data = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return data


def first_file(chunks: Iterable[bytes] | None, limit: int) -> bytes | None:
    """The first `limit` bytes of the one file in an engine's tar stream."""
    if chunks is None:
        return None
    stream = io.BufferedReader(Reader(chunks), _BUFFER)
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        entry = archive.next()
        data = archive.extractfile(entry) if entry and entry.isreg() else None
        return data.read(limit) if data else None
