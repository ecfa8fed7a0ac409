"""A project's configuration: what `sagedock.toml`, or `[tool.sagedock]` in `pyproject.toml`, says.

Finds the file and reads it into frozen values; `config_file.py` reads one table after the other.
Must not know the command line: option defaults stay as they are written, under the options' names.
"""

from __future__ import annotations

import stat
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sagedock.errors import UsageError

OWN, SHARED = "sagedock.toml", "pyproject.toml"
TABLE = ("tool", "sagedock")


@dataclass(frozen=True, kw_only=True)
class CodeArtifact:
    """A package index of the project's own that an image installs from."""

    domain: str
    repository: str
    owner: str | None = None
    region: str | None = None


@dataclass(frozen=True, kw_only=True)
class ImageConfig:
    """One image: `[images.NAME]`. `dockerfile` None: `context`/Dockerfile. `budget` in bytes,
    unpacked. `base` (key `from-image`) is what the supervisor, the server or both are put on top
    of, by `part` (key `with`).
    `repository` is where it goes in ECR."""

    name: str
    context: Path
    dockerfile: Path | None = None
    platform: str | None = None
    budget: int | None = None
    build_args: Mapping[str, str] = field(default_factory=dict)
    base: str | None = None
    part: str | None = None
    target: str | None = None
    repository: str | None = None
    codeartifact: CodeArtifact | None = None


@dataclass(frozen=True, kw_only=True)
class Template:
    """A job to start by name: `[templates.NAME]`. `options` by their names on the command line."""

    name: str
    command: str
    options: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Config:
    """All that the file says; without a file nothing is set. `ignored` is a second file beside it
    that says something too. `defaults` maps a command to values of its options by their names on
    the command line."""

    file: Path | None = None
    prefix: str = ""
    ignored: Path | None = None
    region: str | None = None
    profile: str | None = None
    account: str | None = None
    role: str | None = None
    bucket: str | None = None
    data: Path | None = None
    images: Mapping[str, ImageConfig] = field(default_factory=dict)
    defaults: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    templates: Mapping[str, Template] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        """The file's folder, which relative paths in it start from. Raises UsageError without
        a file."""
        if self.file is None:
            raise UsageError(
                "There is no configuration here.",
                hint=f"Write {OWN}, or [tool.sagedock] in {SHARED}: `sagedock init` makes one.",
            )
        return self.file.parent

    def place(self, *keys: str) -> str:
        """Where a key stands, for people: `sagedock.toml: train.instance-type`."""
        name = self.file.name if self.file else OWN
        return f"{name}: {self.prefix}{'.'.join(keys)}"


def load_config(start: Path | str | None = None) -> Config:
    """A program's way to the project's configuration, from the folder `start` or the current one.

    Estimator, Session and the like read no file: what they are given is all that counts. So a
    program says what it takes: `Estimator(image, load_config().role, …)`."""
    return load(Path(start) if start is not None else Path.cwd())


def load(start: Path) -> Config:
    """The nearest configuration at or above the folder `start`, as far as its repository's root or
    the home folder; an empty one where there is none. Raises UsageError for what can't be read."""
    for folder in _folders(start.absolute()):
        own, shared = folder / OWN, folder / SHARED
        found = _table(shared) if shared.is_file() else None
        if own.is_file():
            return _config(own, _document(own), ignored=shared if found is not None else None)
        if found is not None:
            return _config(shared, found)
    return Config()


def read(file: Path) -> Config:
    """The configuration in this file, whatever its name: `pyproject.toml`'s table, else all of it.
    Raises UsageError."""
    place = file.expanduser().absolute()
    if place.name != SHARED:
        return _config(place, _document(place))
    found = _table(place)
    if found is None:
        raise UsageError(f"{place} has no table [tool.sagedock].")
    return _config(place, found)


def _folders(start: Path) -> Iterator[Path]:
    """`start` and what is above it. A folder that anybody may write to (/tmp) is not looked into
    from below: what lies there may be another user's."""
    home = Path.home()
    for folder in (start, *start.parents):
        if folder != start and _is_anybodys(folder):
            return
        yield folder
        if folder == home or (folder / ".git").exists():
            return


def _is_anybodys(folder: Path) -> bool:
    try:
        return bool(folder.stat().st_mode & stat.S_IWOTH)
    except OSError:
        return True


def _document(file: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{file} can't be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not UTF-8 text: {error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(
            f"{file} is not TOML: {error}.", hint="Texts stand in quotes; a key stands once."
        ) from error


def _table(file: Path) -> Mapping[str, Any] | None:
    """`[tool.sagedock]` of a pyproject.toml; None where it has none."""
    # A file of another tool's that is no TOML says nothing about us, unless it may be meant to.
    text = file.read_bytes()
    if b"sagedock" not in text:
        return None
    found: Any = _document(file)
    for key in TABLE:
        found = found.get(key) if isinstance(found, Mapping) else None
    if found is not None and not isinstance(found, Mapping):
        raise UsageError(f"{file}: tool.sagedock is {found!r}: expected a table, [tool.sagedock].")
    return found


def _config(file: Path, document: Mapping[str, Any], ignored: Path | None = None) -> Config:
    from sagedock.project.config_file import Reader, members

    prefix = "tool.sagedock." if file.name == SHARED else ""
    reader = Reader(file=file, prefix=prefix, document=document)
    return Config(file=file, prefix=prefix, ignored=ignored, **members(reader))
