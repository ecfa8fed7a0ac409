"""A table of the configuration as values of a command's options, by click's own declarations.

So the file knows the options that the command line has, no others, in the same forms. Pure but for
the folder one is in: relative paths in the file start from the file.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sagedock.cli.configuration import ENVIRONMENT, GENERAL, Configuration
from sagedock.errors import UsageError
from sagedock.project.config_file import as_text

if TYPE_CHECKING:
    from sagedock.project.config import Config

UNFIT = frozenset(("help", "template", "data", "request"))
"""Parameters that no file sets: they are about the call itself."""
PLACES = frozenset((
    ("train", "source-dir"), ("train", "entry-point"), ("train", "output-path"),
    ("train", "code-location"), ("train", "input"), ("process", "code"), ("process", "input"),
    ("transform", "model-data"), ("transform", "input"), ("transform", "output"),
    ("transform", "output-path"), ("serve", "model-data"), ("build", "file"),
    ("build", "build-context"),
))  # fmt: skip
"""Options whose values are paths, or `NAME=PATH`, unless they are addresses (`s3://…`)."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table of the file: the command that it is for, and the keys that lead to it."""

    config: Config
    command: str
    keys: tuple[str, ...]
    options: Mapping[str, Any]

    def place(self, option: str) -> str:
        """Where an option stands."""
        return self.config.place(*self.keys, option)

    def told(self, option: str) -> str:
        """The same for errors, which name the whole file."""
        return f"{self.config.file}: {self.config.prefix}{'.'.join((*self.keys, option))}"


def defaults(
    configuration: Configuration, name: str, command: click.Command, template: str | None = None
) -> dict[str, Any]:
    """Parameter to value: general keys, above them the command's table, above it the template.
    Raises UsageError."""
    config = configuration.config
    found = _general(configuration, command)
    for table in tables(configuration, name, template):
        for key, value in read(table, command).items():
            before = found.get(key)
            found[key] = {**before, **value} if isinstance(before, dict) else value
    return {
        key: _as_click(value) for key, value in found.items()
        if config.file and not configuration.overruled(key)
    }  # fmt: skip


def tables(configuration: Configuration, name: str, template: str | None = None) -> list[Table]:
    """The tables that a command's defaults come from, the strongest last."""
    config = configuration.config
    found = [Table(config=config, command=name, keys=(name,),
                   options=config.defaults.get(name, {}))]  # fmt: skip
    if template is not None:
        options = configuration.template(template, name).options
        found.append(Table(config=config, command=name, keys=("templates", template),
                           options=options))  # fmt: skip
    return found


def check_all(configuration: Configuration, root: click.Context) -> None:
    """Read every table by its command's options, so that each mistake is told before it matters.
    Raises UsageError."""
    config = configuration.config
    wanted: list[tuple[str, str | None]] = [(command, None) for command in config.defaults]
    wanted += [(item.command, item.name) for item in config.templates.values()]
    for name, template in wanted:
        group = root.command
        command = group.get_command(root, name) if isinstance(group, click.Group) else None
        if command is not None:
            for table in tables(configuration, name, template):
                read(table, command)


def _general(configuration: Configuration, command: click.Command) -> dict[str, Any]:
    wanted = {
        option[2:]: parameter.name
        for parameter in command.params
        for option in parameter.opts
        if option.startswith("--")
    }
    values = {key: configuration.general(key) for key in GENERAL if key in wanted}
    return {str(wanted[key]): value for key, value in values.items() if value is not None}


def read(table: Table, command: click.Command) -> dict[str, Any]:
    """Parameter to value of one table; pairs as a dict. Raises UsageError for options that the
    command hasn't, that are there by two names, or whose values have another form."""
    known = dict(names(command))
    found: dict[str, Any] = {}
    said: dict[str, str] = {}
    for option, value in table.options.items():
        if option not in known:
            _refuse_unknown(table, option, known)
        parameter, negated = known[option]
        key = str(parameter.name)
        if key in said:
            raise UsageError(
                f"{table.told(option)} says what {said[key]!r} says, too: expected one of them."
            )
        said[key] = option
        found[key] = _value(table, option, parameter, _negated(table, option, value, negated))
    return found


def names(command: click.Command) -> Iterator[tuple[str, tuple[click.Parameter, bool]]]:
    """What may be a key: long options without their dashes, and arguments; the parameter, and
    whether the option says its opposite (`--wait/--detach`)."""
    for parameter in command.params:
        if parameter.name in UNFIT or isinstance(parameter.type, click.File):
            continue
        if isinstance(parameter, click.Argument):
            yield str(parameter.name), (parameter, False)
            continue
        for opposite, options in ((False, parameter.opts), (True, parameter.secondary_opts)):
            for option in options:
                if option.startswith("--"):
                    yield option[2:], (parameter, opposite)


def _refuse_unknown(table: Table, option: str, known: Mapping[str, Any]) -> None:
    close = difflib.get_close_matches(option, known, n=1)
    raise UsageError(
        f"{table.told(option)} is unknown: `sagedock {table.command}` has no "
        f"such option; expected one of {', '.join(known)}.",
        hint=f"Did you mean {close[0]!r}?" if close else "",
    )


def _negated(table: Table, option: str, value: Any, opposite: bool) -> Any:
    if not opposite:
        return value
    if not isinstance(value, bool):
        _refuse(table, option, value, "true or false")
    return not value


def _value(table: Table, option: str, parameter: click.Parameter, value: Any) -> Any:
    if getattr(parameter, "is_flag", False):
        if not isinstance(value, bool):
            _refuse(table, option, value, "true or false")
        return value
    if not (parameter.multiple or parameter.nargs == -1):
        return _placed(table, option, _single(table, option, parameter, value))
    if isinstance(value, Mapping):
        if "=" not in str(getattr(parameter, "metavar", "") or ""):
            _refuse(table, option, value, "a list")
        items = {name: as_text(item) for name, item in value.items()}
    elif isinstance(value, list):
        return _listed(table, option, parameter, value)
    else:
        _refuse(table, option, value, "a list, or a table where it is NAME=VALUE")
    return {name: _placed(table, option, item) for name, item in items.items()}


def _listed(table: Table, option: str, parameter: click.Parameter, value: list[Any]) -> Any:
    form = str(getattr(parameter, "metavar", "") or "")
    if "=" not in form or form.startswith("["):
        return [_placed(table, option, _single(table, option, parameter, item)) for item in value]
    pairs: dict[str, str] = {}
    for item in value:
        name, sign, text = str(item).partition("=")
        if not (name and sign):
            _refuse(table, option, item, form)
        if name in pairs:
            _refuse(table, option, item, f"{name} once")
        pairs[name] = _placed(table, option, text)
    return pairs


def _single(table: Table, option: str, parameter: click.Parameter, value: Any) -> Any:
    kind = parameter.type
    whole = isinstance(kind, click.types.IntParamType)
    if whole and (isinstance(value, bool) or not isinstance(value, int)):
        _refuse(table, option, value, "a whole number")
    elif isinstance(kind, click.types.FloatParamType) and not _is_number(value):
        _refuse(table, option, value, "a number")
    elif isinstance(kind, click.types.StringParamType | click.Choice | click.Path) and not (
        isinstance(value, str)
    ):
        _refuse(table, option, value, "a text")
    try:
        kind.convert(value, parameter, None)
    except click.BadParameter as error:
        raise UsageError(f"{table.told(option)} is {value!r}: {error.message}") from error
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _refuse(table: Table, option: str, value: Any, expected: str) -> None:
    shown = "a table" if isinstance(value, Mapping) else repr(value)
    shown = shown.lower() if isinstance(value, bool) else shown
    raise UsageError(f"{table.told(option)} is {shown}: expected {expected}.")


def _as_click(value: Any) -> Any:
    """Pairs as the command line has them."""
    if isinstance(value, dict):
        return [f"{name}={item}" for name, item in value.items()]
    return value


# paths


def _placed(table: Table, option: str, value: Any) -> Any:
    """A path that starts from the file, for a program that starts elsewhere."""
    root = table.config.root
    if root == Path.cwd() or not isinstance(value, str):
        return value
    if option == "build-context" and "=" in value:
        name, _, folder = value.partition("=")
        return f"{name}={_from(root, folder)}"
    if (table.command, option) == ("process", "output"):
        inside, colon, target = value.partition(":")
        return f"{inside}{colon}{_from(root, target)}" if target else value
    is_script = option == "entry-point" and "source-dir" in table.options
    return value if (table.command, option) not in PLACES or is_script else _from(root, value)


def _from(root: Path, text: str) -> str:
    if "://" in text or text.startswith("~"):
        return text
    return os.path.join(root, text)  # noqa: PTH118  # a slash at the end means a folder


# where values come from


def origin(
    configuration: Configuration, name: str, command: click.Command, template: str | None,
    parameter: click.Parameter,
) -> str:  # fmt: skip
    """The keys that set a parameter, the strongest first; several where pairs come together."""
    found = [
        table.place(option)
        for table in reversed(tables(configuration, name, template))
        for option in table.options
        if dict(names(command)).get(option, (None,))[0] is parameter
    ]
    general = [key for key in GENERAL if f"--{key}" in parameter.opts]
    is_pairs = "=" in str(getattr(parameter, "metavar", "") or "")
    places = found or [configuration.config.place(key) for key in general]
    return " over ".join(places if is_pairs else places[:1])


def variables(parameter: click.Parameter) -> tuple[str, ...]:
    """Variables of the environment that set a parameter, the first of them that is there."""
    own = parameter.envvar
    found = (own,) if isinstance(own, str) else tuple(own or ())
    return tuple(dict.fromkeys((*found, *ENVIRONMENT.get(str(parameter.name), ()))))
