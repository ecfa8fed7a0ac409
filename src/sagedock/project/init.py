"""A new project of the user's own, as data: its name, its parts, and every file's text. Pure.

Texts come from templates with two kinds of marks: `@NAME@` is replaced by a value, and what stands
between the lines `@IF training|serving@` (or `@IFNOT …@`) and `@END@` is only kept for such
projects. Must not know where templates lie nor where files go.
"""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from sagedock.errors import UsageError
from sagedock.project.init_locks import Entry, closure

PARTS = ("training", "processing", "serving")
SUFFIX = ".tmpl"
"""Of templates: no tool that looks through this package takes them for what they become."""

LONGEST = 32
"""Characters of a name: with a part's name and a time stamp it is still a job's (A4.1)."""

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_MARK = re.compile(r"@([A-Z_]+)@")
_IF = re.compile(r"@(?P<word>IF|IFNOT) (?P<names>[a-z|-]+)@")
_END = "@END@"
_OWN_NAMES = frozenset({"sagedock", "test", "tests", "data", *PARTS})

_NEEDED: Mapping[str, tuple[str, ...]] = {
    "training": ("joblib", "numpy", "pandas", "scikit-learn"),
    "processing": ("pandas", "scikit-learn"),
    "serving": ("joblib", "numpy", "scikit-learn"),
}
"""What the scripts import that sagedock's own images hold, and others may not."""

_ONLY_FOR: Mapping[str, str] = {
    "containers/training/": "training",
    "containers/processing/": "processing",
    "containers/serving/": "serving",
    "training/": "training",
    "processing/": "processing",
    "serving/": "serving",
    "tests/unit/test_train.py": "training",
    "tests/unit/test_prepare.py": "processing",
    "tests/unit/test_inference.py": "serving",
    "tests/containers/test_training_image.py": "training",
    "tests/containers/test_processing_image.py": "processing",
    "tests/containers/test_serving_image.py": "serving",
}
"""Beginnings of paths to the part that such files are for; all others are for every project."""

_MODEL_MAKER = "tests/containers/make_model.py"
"""Makes what a project that serves but doesn't train is tried with."""


@dataclass(frozen=True, kw_only=True)
class NewProject:
    """What is asked for. `from_image` is what the images stand on instead of sagedock's own."""

    name: str
    version: str
    parts: tuple[str, ...] = PARTS
    from_image: str | None = None

    @property
    def words(self) -> frozenset[str]:
        """What `@IF …@` asks for."""
        return frozenset({*self.parts, "from-image" if self.from_image else "own"})


@dataclass(frozen=True, kw_only=True)
class NewFile:
    """One file below the project's folder; `path` with forward slashes."""

    path: str
    text: str

    @property
    def executable(self) -> bool:
        """A program says so in its first line; what a build step names runs by `sh`."""
        return self.text.startswith("#!") and "/" not in self.path


def check_name(name: str) -> None:
    """Raise UsageError unless `name` can be a distribution's, an image's and a bucket's, and with
    '_' for '-' a Python package's."""
    if not _NAME.fullmatch(name) or not 2 <= len(name) <= LONGEST:
        near = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:LONGEST].rstrip("-")
        fits = len(near) > 1 and _NAME.fullmatch(near)
        raise UsageError(
            f"A project can't be called {name!r}: expected 2 to {LONGEST} lower-case letters, "
            "digits and single '-' between them, a letter first. Images, repositories, jobs and "
            "a Python package are named after it.",
            hint=f"For example: {near}" if fits else "",
        )
    module = name.replace("-", "_")
    if keyword.iskeyword(module) or module in sys.stdlib_module_names or name in _OWN_NAMES:
        raise UsageError(
            f"A project can't be called {name!r}: Python, or the project itself, has something "
            "of that name.",
            hint=f"For example: {name}-model",
        )


def parts_of(text: str) -> tuple[str, ...]:
    """`serving,training` as parts, in their own order. Raises UsageError for others, and none."""
    given = [item.strip() for item in text.split(",") if item.strip()]
    unknown = [item for item in given if item not in PARTS]
    if unknown or not given:
        raise UsageError(
            f"--only {text!r} names {unknown[0] if unknown else 'nothing'!r}: expected some of "
            f"{', '.join(PARTS)}, with ',' between them."
        )
    return tuple(part for part in PARTS if part in given)


def files(
    project: NewProject, templates: Mapping[str, str], parents: Mapping[str, Entry]
) -> tuple[NewFile, ...]:
    """Every file of the project, by path. `templates` maps paths to texts; `parents` is what
    sagedock's own images hold: a project on another image locks what it needs of that itself."""
    values = _values(project, parents)
    return tuple(
        NewFile(path=path, text=render(text, values, project.words))
        for path, text in sorted(templates.items())
        if _wanted(path, project)
    )


def render(text: str, values: Mapping[str, str], words: Iterable[str]) -> str:
    """A template's text with its marks gone. KeyError for a mark that has no value."""
    kept = "".join(_kept(text.splitlines(keepends=True), frozenset(words)))
    return _MARK.sub(lambda match: values[match[1]], kept)


def _kept(lines: Iterable[str], words: frozenset[str]) -> Iterator[str]:
    open_marks: list[bool] = []
    for line in lines:
        if match := _IF.fullmatch(line.strip()):
            asked = not words.isdisjoint(match["names"].split("|"))
            open_marks.append(asked == (match["word"] == "IF"))
        elif line.strip() == _END:
            open_marks.pop()
        elif all(open_marks):
            yield line
    if open_marks:
        raise ValueError("a template has @IF without @END@")


def _wanted(path: str, project: NewProject) -> bool:
    if path == _MODEL_MAKER:
        return "serving" in project.parts and "training" not in project.parts
    if path == "containers/constraints.txt":
        return project.from_image is None
    return all(part in project.parts for start, part in _ONLY_FOR.items() if path.startswith(start))


def _values(project: NewProject, parents: Mapping[str, Entry]) -> dict[str, str]:
    base = f"{project.name}-base" if project.from_image else ""
    own = {f"PARENT_{part.upper()}": base or f"sagedock/{part}:{project.version}" for part in PARTS}
    return {
        **own,
        "NAME": project.name,
        "VERSION": project.version,
        "FROM_IMAGE": project.from_image or "",
        "IMAGE": f"{project.name}-{project.parts[-1]}",
        "IMAGES": ", ".join(f"{project.name}-{part}" for part in project.parts),
        "FOLDERS": ", ".join(f'"{part}"' for part in project.parts),
        "CONSTRAINTS": "\n".join(f"{name}=={parents[name].version}" for name in sorted(parents)),
        **{
            f"LOCK_{part.upper()}": closure(parents, needed).rstrip() if project.from_image else ""
            for part, needed in _NEEDED.items()
        },
    }
