"""Where a new project comes from and goes to: templates are read, a folder is written whole.

A folder that holds anything is never written to; what is interrupted leaves nothing behind.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from sagedock.errors import OutputError, ResourceInUseError
from sagedock.images import lock
from sagedock.project.init import SUFFIX, NewFile
from sagedock.project.init_locks import Entry, entries

TEMPLATE = Path(__file__).with_name("template")
LOCK = "/requirements.lock"
_PARENT_LOCKS = ("base", "pandas", "training", "serving")
_BESIDE = frozenset({".git", ".DS_Store"})
"""What a folder may hold before a project is put into it."""
_LISTED = 10


def templates(folder: Path = TEMPLATE) -> dict[str, str]:
    """Each template's text by the path of the file that it becomes."""
    return {
        path.relative_to(folder).as_posix().removesuffix(SUFFIX): path.read_text("utf-8")
        for path in sorted(folder.rglob(f"*{SUFFIX}"))
    }


def parent_packages(root: Path) -> dict[str, Entry]:
    """What sagedock's own images hold, by the locks below `root`."""
    places = (root / "containers" / name / "requirements.lock" for name in _PARENT_LOCKS)
    return entries(place.read_text("utf-8") for place in places)


def locked(files: Iterable[NewFile]) -> tuple[NewFile, ...]:
    """The same files, each lock of them with the header that says what it was made from: the
    requirements beside it, and what they refer to."""
    whole = tuple(files)
    with tempfile.TemporaryDirectory(prefix="sagedock-init-") as folder:
        for file in whole:
            _write(file, Path(folder))
        return tuple(_headed(file, Path(folder)) for file in whole)


def _headed(file: NewFile, folder: Path) -> NewFile:
    if not file.path.endswith(LOCK):
        return file
    source = (folder / file.path).with_suffix(".in")
    target = lock.Target(platforms=lock.PLATFORMS)
    return replace(
        file, text=lock.header(source.name, target, lock.inputs_digest(source)) + file.text
    )


def check_free(folder: Path) -> None:
    """Raise ResourceInUseError where `folder` holds anything, naming it; OutputError where it is
    a file."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise OutputError(f"{folder} is a file.", hint="Name a folder: --directory DIR.")
    held = sorted(path.name for path in folder.iterdir() if path.name not in _BESIDE)
    if held:
        more = f" and {len(held) - _LISTED} more" if len(held) > _LISTED else ""
        raise ResourceInUseError(
            f"{folder} is not empty: it holds {', '.join(held[:_LISTED])}{more}.",
            hint="Nothing is overwritten. Name another folder: --directory DIR.",
        )


def write(files: Iterable[NewFile], folder: Path) -> None:
    """Write all of them to `folder`, which is made where it is missing. All or nothing: whatever
    goes wrong, what was written is gone again. Raises what `check_free` raises, OutputError."""
    check_free(folder)
    made = _made(folder)
    placed: list[Path] = []
    staging = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".sagedock-init-", dir=folder))
        for file in files:
            _write(file, staging)
        for path in sorted(staging.iterdir()):
            place = folder / path.name
            _refuse_taken(place)
            placed.append(place)
            path.rename(place)
        staging.rmdir()
    except BaseException as error:
        _undo(placed, staging, made)
        if isinstance(error, OSError):
            raise OutputError(
                f"The project can't be written to {folder}: {error.strerror or error}.",
                hint="Name a folder that you may write to and that has room: --directory DIR.",
            ) from error
        raise


def _refuse_taken(place: Path) -> None:
    """A rename would replace what has come since `check_free` has looked."""
    if place.exists():
        raise ResourceInUseError(f"{place} has come meanwhile: nothing is written.")


def _made(folder: Path) -> list[Path]:
    """The folders that are missing, the lowest first."""
    return [place for place in (folder, *folder.parents) if not place.exists()]


def _write(file: NewFile, folder: Path) -> None:
    path = folder / file.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(file.text, "utf-8", newline="\n")
    if file.executable:
        mode = path.stat().st_mode
        path.chmod(mode | (mode & 0o444) >> 2)  # who may read it may run it


def _undo(placed: Iterable[Path], staging: Path | None, made: Iterable[Path]) -> None:
    for path in (*placed, *([staging] if staging else ())):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    for place in made:
        if place.is_dir() and not any(os.scandir(place)):
            place.rmdir()
