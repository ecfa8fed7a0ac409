"""`sagedock config`: every setting, its value, and where that comes from."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from sagedock.cli.configuration import ENVIRONMENT, META, Configuration, Defaults, masked
from sagedock.cli.options import JSON
from sagedock.errors import ResourceNotFoundError, UsageError

if TYPE_CHECKING:
    from sagedock.project.config import Config

_GENERAL = ("region", "profile", "account", "role", "bucket", "data")
_MACHINE = (
    "SAGEDOCK_ACCOUNT", "SAGEDOCK_IMAGES", "SAGEDOCK_SHM_SIZE", "SAGEDOCK_STOP_GRACE",
    "SAGEDOCK_CA_BUNDLE", "SAGEDOCK_TOKEN", "SAGEDOCK_CONFIG", "DOCKER_HOST", "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE", "PIP_CERT", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "HTTP_PROXY",
    "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
)  # fmt: skip
"""Variables without a key in the file: they are the machine's, not the project's."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting as `sagedock config` shows it."""

    name: str
    value: Any
    origin: str


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog="""\b
Examples:
  sagedock config
  sagedock config train --instance-count 2    # what this command would work with, and why""",
)
@click.option("--path", is_flag=True, help="Print the file's path only; exits with 12 without one.")
@JSON
@click.argument("command", required=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def config(
    ctx: click.Context, path: bool, as_json: bool, command: str | None, arguments: tuple[str, ...]
) -> None:
    """Show every setting, and where it comes from.

    An option counts before a variable of the environment, that before the file, that before the
    default. With a COMMAND and its options: each option's value in that call. Secrets are never
    shown.
    """
    from sagedock.cli.option_tables import check_all

    configuration: Configuration = ctx.meta[META]
    if path:
        click.echo(_path(configuration.config))
        return
    check_all(configuration, ctx.find_root())
    found = (
        list(_of_command(ctx, command, arguments)) if command else list(_all(ctx, configuration))
    )
    _show(configuration.config, found, as_json)


def _path(found: Config) -> Path:
    if found.file is None:
        raise ResourceNotFoundError(
            "There is no sagedock.toml here or above, and no pyproject.toml with [tool.sagedock].",
            hint="`sagedock init` makes one.",
        )
    return found.file


def _command(ctx: click.Context, name: str) -> click.Command:
    group = ctx.find_root().command
    found = group.get_command(ctx, name) if isinstance(group, click.Group) else None
    if found is None:
        raise UsageError(f"There is no command {name!r}.", hint="See them all: sagedock --help")
    return found


# everything


def _all(ctx: click.Context, configuration: Configuration) -> Iterator[Setting]:
    config = configuration.config
    for key in _GENERAL:
        yield _general(ctx, configuration, key)
    for name in _MACHINE:
        if os.environ.get(name):
            yield _setting(name, os.environ[name], f"environment {name}")
    for name, image in config.images.items():
        for key, value in asdict(image).items():
            if key != "name" and value not in (None, {}):
                written = {"base": "from-image", "part": "with"}.get(key, key.replace("_", "-"))
                shown = f"{value / 1e6:g} MB" if key == "budget" else value
                yield _setting(f"images.{name}.{written}", shown, config.place("images", name))
    for command, options in config.defaults.items():
        for option, value in options.items():
            yield _setting(f"{command}.{option}", value, config.place(command, option))
    for template in config.templates.values():
        place = config.place("templates", template.name)
        yield _setting(f"templates.{template.name}.command", template.command, place)
        for option, value in template.options.items():
            yield _setting(f"templates.{template.name}.{option}", value, place)


def _general(ctx: click.Context, configuration: Configuration, key: str) -> Setting:
    root = ctx.find_root()
    if key == "data":
        return _data(ctx, configuration, root.get_parameter_source("data"))
    variable = configuration.overruled(key)
    if variable:
        said = os.environ[variable] if key in variable.lower() else "credentials in the environment"
        return _setting(key, said, f"environment {variable}")
    value = getattr(configuration.config, key)
    origin = "default" if value is None else configuration.config.place(key)
    return _setting(key, value, origin)


def _data(
    ctx: click.Context, configuration: Configuration, source: ParameterSource | None
) -> Setting:
    from sagedock.cli.context import settings_of

    folder = str(settings_of(ctx.obj).data)
    if source is ParameterSource.COMMANDLINE:
        return _setting("data", folder, "flag --data")
    variable = configuration.overruled("data")
    if variable:
        return _setting("data", folder, f"environment {variable}")
    written = configuration.config.data is not None
    return _setting("data", folder, configuration.config.place("data") if written else "default")


# one command


def _of_command(ctx: click.Context, name: str, arguments: tuple[str, ...]) -> Iterator[Setting]:
    command = _command(ctx, name)
    inner = _parsed(ctx, command, name, list(arguments))
    for parameter in command.params:
        key = str(parameter.name)
        if key not in inner.params:
            continue
        shown = _name(parameter)
        yield _setting(shown, inner.params[key], _origin(inner, parameter))


def _parsed(
    ctx: click.Context, command: click.Command, name: str, arguments: list[str]
) -> click.Context:
    """The command's context as a call would have it; an argument that is missing is no mistake
    here, since nothing is called."""
    root = ctx.find_root()
    try:
        return command.make_context(name, list(arguments), parent=root)
    except click.MissingParameter:
        return command.make_context(name, list(arguments), parent=root, resilient_parsing=True)


def _name(parameter: click.Parameter) -> str:
    long = [option for option in parameter.opts if option.startswith("--")]
    return long[0][2:] if long else str(parameter.name)


def _origin(inner: click.Context, parameter: click.Parameter) -> str:
    source = inner.get_parameter_source(str(parameter.name))
    defaults = inner.default_map if isinstance(inner.default_map, Defaults) else {}
    place = defaults.origin(parameter) if isinstance(defaults, Defaults) else ""
    written = str(parameter.name) in defaults
    if source is ParameterSource.COMMANDLINE:
        flag = f"flag {parameter.opts[0]}" if isinstance(parameter, click.Option) else "argument"
        merged = written and isinstance(inner.params[str(parameter.name)], dict)
        return f"{flag} over {place}" if merged else flag
    if source is ParameterSource.ENVIRONMENT:
        from sagedock.cli.option_tables import variables

        found = next((item for item in variables(parameter) if os.environ.get(item)), "")
        return f"environment {found}"
    if source is ParameterSource.DEFAULT_MAP:
        return place
    variable = next(
        (item for item in ENVIRONMENT.get(_name(parameter), ()) if os.environ.get(item)), None
    )
    return f"environment {variable}" if variable else "default"


# showing


def _setting(name: str, value: Any, origin: str) -> Setting:
    return Setting(name=name, value=masked(name.rpartition(".")[2], _plain(value)), origin=origin)


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _show(config: Config, settings: list[Setting], as_json: bool) -> None:
    from sagedock.cli.printing import as_text, table

    if as_json:
        document = {
            "file": str(config.file) if config.file else None,
            "ignored": str(config.ignored) if config.ignored else None,
            "settings": [asdict(item) for item in settings],
        }
        click.echo(as_text(document))
        return
    rows = [(item.name, _shown(item.value), item.origin) for item in settings]
    click.echo("\n".join(table(("SETTING", "VALUE", "FROM"), rows)))
    click.echo(f"file: {config.file or 'none'}", err=True)
    if config.ignored:
        click.echo(
            f"[tool.sagedock] in {config.ignored} is not read: {config.file} is there.", err=True
        )


def _shown(value: Any) -> str:
    import json

    if value is None or value in ([], {}, ()):
        return "-"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
