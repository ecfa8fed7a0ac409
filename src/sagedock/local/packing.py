"""Trees on their way out of and into containers: tar streams, never unpacked on this machine.

The same tree gives the same bytes: entries in the order of their names, times and owners zeroed.
"""

from __future__ import annotations

import gzip
import io
import posixpath
import shutil
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
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
    """Entries of the engine's tar stream of one folder, named relative to that folder; hard links
    too, which name an entry that came before."""
    stream = io.BufferedReader(Reader(chunks), _BUFFER)
    with tarfile.open(fileobj=stream, mode="r|", bufsize=_BUFFER) as archive:
        for entry in archive:
            name = _below(entry.name)
            if name and entry.type in _KEPT:
                entry.name = name
                if entry.islnk():
                    entry.linkname = _below(entry.linkname)
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
    clean.linkname = entry.linkname
    return clean


def code_tar(archive: BinaryIO, source: str, folder: str) -> Iterator[bytes]:
    """A sourcedir.tar.gz as a plain tar to be unpacked at `folder` in a container.

    Raises InputError where it is no tar.gz or an entry would leave the folder.
    """
    buffer, what = io.BytesIO(), f"{source} can't be unpacked as source code at {folder}"
    try:
        with (
            gzip.GzipFile(fileobj=archive) as unzipped,
            tarfile.open(fileobj=unzipped, mode="r:") as packed,
            tarfile.open(fileobj=buffer, mode="w|") as plain,
        ):
            for entry in packed:
                data = packed.extractfile(entry) if entry.isreg() else None
                plain.addfile(_confined(entry, what), data)
                yield _taken(buffer)
            while unzipped.read(_BUFFER):  # the check sum stands at the very end
                pass
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise InputError(
            f"{what}: {error}.",
            hint="Expected a tar.gz of the source folder, its entries relative to that folder.",
        ) from error
    yield _taken(buffer)


def tree_tar(folder: Path, target: str) -> Iterator[bytes]:
    """The files below `folder` as a tar to be unpacked at a container's root: below `target`, for
    everybody to read and for root to change."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w|") as packed:
        for path in (folder, *sorted(folder.rglob("*"))):
            name = posixpath.join(target, path.relative_to(folder).as_posix()).strip("/")
            entry = tarfile.TarInfo(posixpath.normpath(name))
            if path.is_dir():
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                packed.addfile(entry)
            else:
                entry.size = path.stat().st_size
                with path.open("rb") as file:
                    packed.addfile(entry, file)
            yield _taken(buffer)
    yield _taken(buffer)


def unpack(archive: BinaryIO, source: str, folder: Path) -> None:
    """A model.tar.gz as files below `folder`, which is made.

    Raises InputError where it is no tar.gz, an entry would leave the folder, or is a link (D2.2).
    """
    what = f"{source} can't be unpacked as a model"
    folder.mkdir(parents=True)
    try:
        with tarfile.open(fileobj=archive, mode="r|gz", bufsize=_BUFFER) as packed:
            for entry in packed:
                if entry.issym() or entry.islnk():
                    raise InputError(
                        f"{what}: {entry.name} is a link, and hosting takes none (D2.2).",
                        hint="Put the file itself into the archive.",
                    )
                _write(packed, entry, folder / _confined(entry, what).name)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            f"{what}: {error}.",
            hint="Expected a tar.gz with the model's files at its root.",
        ) from error


def _write(packed: tarfile.TarFile, entry: tarfile.TarInfo, target: Path) -> None:
    if entry.isdir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    data = packed.extractfile(entry)
    if data is not None:
        with target.open("wb") as stream:
            shutil.copyfileobj(data, stream, _BUFFER)
        target.chmod(0o755 if entry.mode & 0o100 else 0o644)


def _confined(entry: tarfile.TarInfo, what: str) -> tarfile.TarInfo:
    """The entry as root's, sure to stay in the folder. As tarfile's `data` filter does, which the
    Python 3.11.2 of Debian 12 doesn't have."""
    clean = tarfile.TarInfo(_inside(entry.name, entry, what))
    clean.mtime = entry.mtime
    if entry.isdir():
        clean.type, clean.mode = tarfile.DIRTYPE, 0o755
    elif entry.isreg():
        clean.size, clean.mode = entry.size, (0o755 if entry.mode & 0o100 else 0o644)
    elif entry.islnk():
        clean.type, clean.linkname = tarfile.LNKTYPE, _inside(entry.linkname, entry, what)
    elif entry.issym():
        clean.type, clean.linkname = tarfile.SYMTYPE, entry.linkname
        target = posixpath.join(posixpath.dirname(clean.name), entry.linkname)
        if posixpath.normpath(target).startswith(("/", "..")):
            raise _unsafe(entry, what)
    else:
        raise _unsafe(entry, what)
    return clean


def _inside(name: str, entry: tarfile.TarInfo, what: str) -> str:
    """`name` below the folder; a leading slash says nothing there."""
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if ".." in parts:
        raise _unsafe(entry, what)
    return "/".join(parts) or "."


def _unsafe(entry: tarfile.TarInfo, what: str) -> InputError:
    target = f" -> {entry.linkname}" if entry.linkname else ""
    return InputError(
        f"{what}: its entry {entry.name}{target} leads out of that folder, or is no file, folder "
        "or link.",
        hint="Pack plain files, with names relative to the source folder.",
    )


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
