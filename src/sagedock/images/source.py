"""The files images are made from: where they are, and one digest of what an image depends on.

Reads files; must not know engines.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from sagedock.errors import BuildError
from sagedock.images.plan import ImageSpec

SHIPPED = "shipped"
"""Folder beside this module in an installed wheel: what images are made from, laid out as in the
repository (pyproject.toml puts it there)."""


def find_root(start: Path | None = None) -> Path:
    """Where images are built from: the closest folder at or above `start` (default: this package)
    that holds `containers/base/Dockerfile`, itself or in `shipped/`: the repository, or what an
    installed wheel has of it. BuildError where there is none."""
    begin = (start or Path(__file__)).resolve()
    for folder in (begin, *begin.parents):
        for place in (folder, folder / SHIPPED):
            if (place / "containers" / "base" / "Dockerfile").is_file():
                return place
    raise BuildError(
        f"Images are built from the project's repository, or an installed wheel; {begin} is in "
        "neither.",
        hint="Install sagedock from a wheel, or clone the project and `pip install -e .` there.",
    )


def is_shipped(root: Path) -> bool:
    """Whether `root` is an installed wheel's: what git says there is of somebody else's files."""
    return root.name == SHIPPED and root.parent == Path(__file__).resolve().parent


def digest(root: Path, spec: ImageSpec, *extra: str) -> str:
    """SHA-256 over the image's input files (path, executable bit, content) and `extra`: its
    parent's id, its arguments."""
    total = hashlib.sha256()
    for text in (spec.name, *extra):
        total.update(f"{text}\0".encode())
    for path in sorted(_files(root, spec.inputs)):
        executable = bool(path.stat().st_mode & stat.S_IXUSR)
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{path.relative_to(root)}\0{executable}\0{content}\0".encode())
    return total.hexdigest()


def _files(root: Path, inputs: Iterable[str]) -> Iterator[Path]:
    for entry in inputs:
        path = root / entry
        if path.is_file():
            yield path
        elif path.is_dir():
            yield from (p for p in path.rglob("*") if p.is_file() and not _ignored(p))
        else:
            raise BuildError(
                f"{path} is missing, and an image is made from it.",
                hint="Restore it from git: `git status` shows what is gone.",
            )


def _ignored(path: Path) -> bool:
    """As .dockerignore has it."""
    return "__pycache__" in path.parts or path.suffix == ".pyc"
