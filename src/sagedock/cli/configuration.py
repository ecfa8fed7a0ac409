"""The project's configuration as defaults of the command line: flag, environment, file, default.

The file is read when a command first asks for a value, so help needs none and breaks with none.
Must not know what the commands do with their options.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, MutableMapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from sagedock.errors import UsageError

if TYPE_CHECKING:
    from sagedock.project.config import Config, Template

META = "sagedock.configuration"
"""Where a context's `meta` keeps the Configuration."""
GENERAL = ("region", "profile", "account", "role", "bucket")
"""Keys that are defaults of any command's option of that name."""
ENVIRONMENT = {
    "region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
    "profile": (
        "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ),
    "data": ("SAGEDOCK_DATA",),
}  # fmt: skip
"""Variables that say the same as a key: with one of them the file's value doesn't count. A profile
would replace credentials of the environment."""
LENIENT = frozenset(("doctor", "version", "status", "down", "env"))
"""Commands that go on with a broken file as without one; `doctor` tells of it."""


class Configuration:
    """The configuration of this call. `file` takes the place of the one that would be found. A
    `lenient` one keeps the error of a file that can't be read in `problem`."""

    def __init__(self, file: Path | None = None, environ: Mapping[str, str] = os.environ) -> None:
        self._file = file
        self._environ = environ
        self.lenient = False
        self.problem: UsageError | None = None

    @cached_property
    def config(self) -> Config:
        """What the file says. Raises UsageError."""
        from sagedock.project import config

        try:
            return config.read(self._file) if self._file else config.load(Path.cwd())
        except UsageError as error:
            if not self.lenient:
                raise
            self.problem = error
            return config.Config()

    def overruled(self, key: str) -> str | None:
        """The variable of the environment that stands above the file's value of `key`."""
        names = ENVIRONMENT.get(key, ())
        return next((name for name in names if self._environ.get(name)), None)

    def general(self, key: str) -> Any:
        """The file's value of a general key, None where it has none or the environment has one."""
        return None if self.overruled(key) else getattr(self.config, key)

    def template(self, name: str, command: str) -> Template:
        """The template of that name. Raises UsageError for one that there is none of, or that is
        for another command."""
        from difflib import get_close_matches

        config = self.config
        found = config.templates.get(name)
        if found is None:
            close = get_close_matches(name, config.templates, n=1)
            known = ", ".join(config.templates) or "none"
            raise UsageError(
                f"There is no template {name!r} in {config.file or 'any sagedock.toml'}: "
                f"templates: {known}.",
                hint=f"Did you mean {close[0]!r}?" if close else "",
            )
        if found.command != command:
            raise UsageError(
                f"{config.place('templates', name)} is for `sagedock {found.command}`, not for "
                f"`sagedock {command}`."
            )
        return found


class Defaults(MutableMapping[str, Any]):
    """click's `default_map` of one command: parameter to value, found when first asked for."""

    def __init__(self, configuration: Configuration, name: str, command: click.Command) -> None:
        self.configuration, self.name, self.command = configuration, name, command
        self.template: str | None = None
        self.kept: frozenset[str] | None = None

    @cached_property
    def values_found(self) -> dict[str, Any]:
        """All of them. Raises UsageError for a table that the command can't have."""
        from sagedock.cli import option_tables

        try:
            found = option_tables.defaults(
                self.configuration, self.name, self.command, self.template
            )
        except UsageError as error:
            if not self.configuration.lenient:
                raise
            self.configuration.problem = error
            return {}
        return {key: value for key, value in found.items() if self.kept is None or key in self.kept}

    def origin(self, parameter: click.Parameter) -> str:
        """Where in the file a parameter's value stands."""
        from sagedock.cli import option_tables

        return option_tables.origin(
            self.configuration, self.name, self.command, self.template, parameter
        )

    def use(self, template: str) -> None:
        """Put a template's options above the command's table."""
        self.template = template
        self.__dict__.pop("values_found", None)

    def keep(self, names: frozenset[str]) -> None:
        """Leave defaults to these parameters only."""
        self.kept = names
        self.__dict__.pop("values_found", None)

    def __getitem__(self, key: str) -> Any:
        return self.values_found[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_found)

    def __len__(self) -> int:
        return len(self.values_found)

    def __setitem__(self, key: str, value: Any) -> None:
        self.values_found[key] = value

    def __delitem__(self, key: str) -> None:
        del self.values_found[key]


class PerCommand(dict[str, Any]):
    """The program's `default_map`: a command's own, made when the command is called."""

    def __init__(self, configuration: Configuration, group: click.Group) -> None:
        super().__init__()
        self._configuration, self._group = configuration, group

    def get(self, key: str, default: Any = None) -> Any:
        """The Defaults of the command `key`."""
        self._configuration.lenient = key in LENIENT
        command = self._group.get_command(click.get_current_context(), key)
        return Defaults(self._configuration, key, command) if command else default


class CommandContext(click.Context):
    """A command's context: its object, the data folder, is the file's where nobody else has said
    one. Asked for only after the options are read, so that help never needs the file."""

    _given: Any = None

    @property
    def obj(self) -> Any:
        """The data folder, None for the user's own."""
        if self._given is None and META in self.meta:
            return self.meta[META].general("data")
        return self._given

    @obj.setter
    def obj(self, value: Any) -> None:
        self._given = value

    def get_help(self) -> str:
        """As click does, with the file's defaults where it can be read."""
        if META in self.meta:
            self.meta[META].lenient = True
        return super().get_help()


def typed_over_file(options: dict[str, Any], name: str, *others: str) -> None:
    """Take from `options` what only the file says of `others`, where `name`, which excludes them,
    was typed."""
    context = click.get_current_context()
    if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
        for other in others:
            if context.get_parameter_source(other) is ParameterSource.DEFAULT_MAP:
                options[other] = None


def current() -> Configuration:
    """The configuration of the command that runs."""
    context = click.get_current_context(silent=True)
    found = context.meta.get(META) if context else None
    return found if isinstance(found, Configuration) else Configuration()


SECRET_WORDS = ("TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "API_KEY", "APIKEY",
                "ACCESS_KEY", "PRIVATE_KEY", "AUTHORIZATION")  # fmt: skip
MASK = "********"


def masked(name: str, value: Any) -> Any:
    """`value` as it may be shown: not at all where its name says that it is secret, without the
    password where it is an address, member by member where it has members."""
    import re

    plain = name.upper().replace("-", "_")
    if any(word in plain for word in SECRET_WORDS) and value not in (None, ""):
        return MASK
    if isinstance(value, Mapping):
        return {key: masked(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_masked_pair(item) for item in value]
    if isinstance(value, str):
        return re.sub(r"(?<=://)[^/@\s]+(?=@)", MASK, value)
    return value


def _masked_pair(item: Any) -> Any:
    """`NAME=VALUE`, as in a list of them."""
    if isinstance(item, str) and "=" in item:
        name, _, value = item.partition("=")
        return f"{name}={masked(name, value)}"
    return masked("", item)
