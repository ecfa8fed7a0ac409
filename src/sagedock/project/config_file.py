"""From a configuration file's document to `Config`'s members. Pure.

Each key is taken out with the form it must have; what is left over is unknown. Errors name the
file, the key, the value, what was expected, and the nearest name there is.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from sagedock.errors import UsageError
from sagedock.project.config import CodeArtifact, ImageConfig, Template

JOBS = ("train", "process", "transform", "serve")
"""Commands that templates are for."""
COMMANDS = (
    *JOBS, "jobs", "describe", "logs", "stop", "track", "invoke", "endpoints", "delete-endpoint",
    "run", "up", "build", "lock", "push", "iam", "doctor", "clean", "prices", "ls", "cp",
)  # fmt: skip
"""Commands that a table of defaults may be for: all but those that are about the program itself."""
PARTS = ("training", "serving", "both")
PLATFORMS = ("linux/amd64", "linux/arm64")

_REGION = r"[a-z]{2,4}(-[a-z]+)+-\d{1,2}"
_ACCOUNT = r"\d{12}"
_ROLE = r"[\w+=,.@-]{1,64}|arn:aws[\w-]*:iam::\d{12}:role/[\w+=,.@/-]+"
_BUCKET = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
_IMAGE = r"(?=.{2,256}$)[a-z0-9]+(?:(?:[._/]|__|-+)[a-z0-9]+)*"
_REPOSITORY = r"(?=.{2,256}$)(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*"
_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


@dataclass(kw_only=True)
class Reader:
    """One table of the file: keys are taken out, then `end` refuses what is left."""

    file: Path
    document: Mapping[str, Any]
    prefix: str = ""
    known: list[str] = field(default_factory=list)

    def take(self, key: str) -> Any:
        """The key's value, None where it isn't there."""
        self.known.append(key)
        return self.document.get(key)

    def wrong(self, key: str, expected: str, value: Any = None) -> NoReturn:
        """Refuse the key's value, or `value` in it."""
        found = self.document[key] if value is None else value
        shown = "a table" if isinstance(found, Mapping) else _shown(found)
        raise UsageError(f"{self.file}: {self.prefix}{key} is {shown}: expected {expected}.")

    def text(self, key: str, expected: str = "a text", pattern: str = ".+") -> str | None:
        """A text that `pattern` matches."""
        found = self.take(key)
        if found is None:
            return None
        if not isinstance(found, str) or not re.fullmatch(pattern, found, re.DOTALL):
            self.wrong(key, expected)
        return found

    def needed(self, key: str, expected: str, pattern: str = ".+") -> str:
        """The same, which must be there."""
        found = self.text(key, expected, pattern)
        if found is None:
            raise UsageError(f"{self.file}: {self.prefix}{key} is missing: expected {expected}.")
        return found

    def chosen(self, key: str, choices: Collection[str]) -> str | None:
        """One of `choices`."""
        found = self.take(key)
        if found is not None and found not in choices:
            hint = _close(str(found), choices)
            raise UsageError(
                f"{self.file}: {self.prefix}{key} is {_shown(found)}: expected one of "
                f"{', '.join(choices)}.",
                hint=hint,
            )
        return None if found is None else str(found)

    def path(self, key: str) -> Path | None:
        """A path; a relative one is relative to the file, and `~` is the home folder."""
        found = self.text(key, "a path")
        return None if found is None else self.file.parent / Path(found).expanduser()

    def inside(self, key: str) -> Path | None:
        """A path at or below the file's folder."""
        found = self.path(key)
        root = self.file.parent.resolve()
        if found is not None and not found.resolve().is_relative_to(root):
            self.wrong(key, f"a path inside the project, {root}")
        return found

    def table(self, key: str, expected: str = "a table") -> Reader:
        """A table below this one; an empty one where it isn't there."""
        found = self.take(key)
        if found is None:
            found = {}
        elif not isinstance(found, Mapping):
            self.wrong(key, expected)
        return Reader(file=self.file, prefix=f"{self.prefix}{key}.", document=found)

    def texts(self, key: str) -> dict[str, str]:
        """A table of texts; numbers and truth values are taken as written."""
        reader = self.table(key, "a table of names and values")
        found = {}
        for name in reader.document:
            value = reader.take(name)
            if not isinstance(value, str | int | float):
                reader.wrong(name, "a text")
            found[name] = as_text(value)
        return found

    def end(self) -> None:
        """Refuse the first key that nobody has asked for."""
        for key in self.document:
            if key not in self.known:
                raise UsageError(
                    f"{self.file}: {self.prefix}{key} is unknown: expected one of "
                    f"{', '.join(dict.fromkeys(self.known))}.",
                    hint=_close(key, self.known),
                )


def members(reader: Reader) -> dict[str, Any]:
    """What `Config` has of the file's document. Raises UsageError."""
    found: dict[str, Any] = {
        "region": reader.text("region", "a region such as eu-west-1", _REGION),
        "profile": reader.text("profile", "a profile's name"),
        "account": reader.text("account", "an account's 12 digits in quotes", _ACCOUNT),
        "role": reader.text("role", "a role's name or ARN", _ROLE),
        "bucket": reader.text("bucket", "a bucket's name, without s3://", _BUCKET),
        "data": reader.path("data"),
        "images": _images(reader.table("images")),
        "templates": _templates(reader.table("templates")),
    }
    found["defaults"] = {
        command: _options(reader.table(command, f"a table, [{reader.prefix}{command}]"))
        for command in COMMANDS
        if command in reader.document
    }
    reader.known.extend(COMMANDS)
    reader.end()
    return found


def as_text(value: str | float) -> str:
    """A value as one types it: `true`, not `True`."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _images(reader: Reader) -> dict[str, ImageConfig]:
    found = {}
    for name in reader.document:
        if not re.fullmatch(_IMAGE, name):
            raise UsageError(
                f"{reader.file}: {reader.prefix}{name} can't be an image's name: expected 2 "
                "to 256 lower-case letters, digits, and '.', '_', '-', '/' between them."
            )
        found[name] = _image(name, reader.table(name, f"a table, [images.{name}]"))
    _refuse_shared_repositories(reader, found)
    return found


def _image(name: str, reader: Reader) -> ImageConfig:
    image = ImageConfig(
        name=name,
        context=reader.inside("context") or reader.file.parent,
        dockerfile=reader.inside("dockerfile"),
        platform=reader.chosen("platform", PLATFORMS),
        budget=_size(reader, "budget"),
        build_args=reader.texts("build-args"),
        base=reader.text("from-image", "an image's name"),
        part=reader.chosen("with", PARTS),
        target=reader.text("target", "a stage's name"),
        repository=reader.text(
            "repository", "a repository of ECR, without registry and tag", _REPOSITORY
        ),
        codeartifact=_codeartifact(reader),
    )
    reader.end()
    if image.part and not image.base:
        reader.wrong("with", "no such key without `from-image`, what it is put on top of")
    return image


def _refuse_shared_repositories(reader: Reader, images: Mapping[str, ImageConfig]) -> None:
    """Two images of one repository would push one tag: the second would be refused, or win."""
    owners: dict[str, str] = {}
    for name, image in images.items():
        repository = image.repository or name
        first = owners.setdefault(repository, name)
        if first != name:
            raise UsageError(
                f"{reader.file}: {reader.prefix}{name} goes to the repository {repository!r}, as "
                f"{reader.prefix}{first} does: expected one repository an image."
            )


def _codeartifact(reader: Reader) -> CodeArtifact | None:
    given = "codeartifact" in reader.document
    table = reader.table("codeartifact")
    if not given:
        return None
    found = CodeArtifact(
        domain=table.needed("domain", "a domain's name"),
        repository=table.needed("repository", "a repository of CodeArtifact"),
        owner=table.text("owner", "an account's 12 digits in quotes", _ACCOUNT),
        region=table.text("region", "a region such as eu-west-1", _REGION),
    )
    table.end()
    return found


def _size(reader: Reader, key: str) -> int | None:
    found = reader.take(key)
    if found is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?i?B)", str(found).strip(), re.IGNORECASE)
    if not isinstance(found, str) or not match:
        reader.wrong(key, 'a size such as "450 MB"')
    return int(float(match[1]) * _UNITS[match[2].upper()])


def _templates(reader: Reader) -> dict[str, Template]:
    found = {}
    for name in reader.document:
        table = reader.table(name, f"a table, [templates.{name}]")
        command = table.chosen("command", JOBS) or table.needed("command", ", ".join(JOBS))
        options = {key: value for key, value in _options(table).items() if key != "command"}
        found[name] = Template(name=name, command=command, options=options)
    return found


def _options(reader: Reader) -> dict[str, Any]:
    """A table of option defaults. Which options there are, the command line knows."""
    found = {}
    for key in reader.document:
        value = reader.take(key)
        if not _is_plain(value):
            reader.wrong(key, "a text, a number, true or false, a list or a table of them")
        found[key] = value
    return found


def _is_plain(value: Any) -> bool:
    if isinstance(value, Mapping):
        value = list(value.values())
    items = value if isinstance(value, list) else [value]
    return all(isinstance(item, str | int | float) for item in items)


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, str) else str(value).lower()


def _close(key: str, names: Collection[str]) -> str:
    found = difflib.get_close_matches(key, names, n=1)
    return f"Did you mean {found[0]!r}?" if found else ""
