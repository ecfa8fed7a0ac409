"""Source code on its way to a job: entry point and folder packed as sourcedir.tar.gz."""

from __future__ import annotations

import gzip
import io
import os
import posixpath
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sagedock.errors import InputError

_LEFT_OUT = frozenset({"__pycache__", ".git"})


@dataclass(frozen=True, kw_only=True)
class SourceCode:
    """Code of a script-mode job: `program` is the entry point's path in the archive."""

    program: str
    archive: bytes


def pack(entry_point: str, source_dir: str | None, dependencies: Sequence[str]) -> SourceCode:
    """Pack the script (and its folder, and `dependencies` beside it) reproducibly.

    As in SDK v2: without `source_dir`, `entry_point` is a path and only that file is packed; with
    it, `entry_point` is relative to it. `__pycache__` and `.git` are left out. Raises InputError.
    """
    if source_dir is None:
        script = Path(entry_point).expanduser()
        _check_script(script, f"entry_point {entry_point!r}")
        entries = [(script.name, script)]
        program = script.name
    else:
        folder = Path(source_dir).expanduser()
        if not folder.is_dir():
            raise InputError(
                f"source_dir {source_dir!r} is not a folder ({folder.absolute()}).",
                hint="Name the folder that holds the entry point.",
            )
        _check_script(folder / entry_point, f"entry_point {entry_point!r} in {source_dir!r}")
        entries = list(_tree(folder))
        program = posixpath.normpath(entry_point)
        if program not in dict(entries):
            raise InputError(
                f"entry_point {entry_point!r} does not lie in source_dir {source_dir!r}.",
                hint="Name it relative to source_dir, as in entry_point='train.py'.",
            )
    entries += [item for name in dependencies for item in _dependency(Path(name).expanduser())]
    return SourceCode(program=program, archive=_archive(entries))


def _check_script(script: Path, what: str) -> None:
    if script.is_file():
        return
    folder = script.parent
    there = sorted(p.name for p in folder.iterdir() if p.is_file()) if folder.is_dir() else []
    raise InputError(
        f"{what} is not a file ({script.absolute()}).",
        hint=f"Files there: {', '.join(there[:10])}" if there else f"{folder} holds no files.",
    )


def _dependency(path: Path) -> Iterator[tuple[str, Path]]:
    if not path.exists():
        raise InputError(f"dependency {str(path)!r} is not there ({path.absolute()}).")
    if path.is_file():
        yield path.name, path
        return
    yield from ((f"{path.resolve().name}/{name}", file) for name, file in _tree(path))


def _tree(folder: Path, above: frozenset[Path] = frozenset()) -> Iterator[tuple[str, Path]]:
    """Regular files below `folder`, links followed. What leads nowhere or in a circle, pipes and
    sockets are no source code: editors leave such things about."""
    here = above | {folder.resolve()}
    for entry in sorted(folder.iterdir()):
        if entry.is_file():
            yield entry.name, entry
        elif entry.is_dir() and entry.name not in _LEFT_OUT and entry.resolve() not in here:
            yield from ((f"{entry.name}/{name}", file) for name, file in _tree(entry, here))


def _archive(entries: Sequence[tuple[str, Path]]) -> bytes:
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as archive,
    ):
        for name, path in sorted(entries):
            _add(archive, name, path)
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, name: str, path: Path) -> None:
    entry = tarfile.TarInfo(name)
    with path.open("rb") as data:
        stat = os.fstat(data.fileno())
        entry.size, entry.mode = stat.st_size, 0o755 if stat.st_mode & 0o100 else 0o644
        archive.addfile(entry, data)
