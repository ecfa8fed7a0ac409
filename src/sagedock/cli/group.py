"""The table of commands, and a group that imports a command only when it is asked for.

`sagedock --help` answers from the table alone. Must not import any command, nor anything slow.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import click

from sagedock import __version__
from sagedock.cli.configuration import META, CommandContext, Configuration, PerCommand

COMMANDS = {
    "init": "Write a new project that builds, trains and is tested.",
    "train": "Run a training job in your image, with your data.",
    "process": "Run a script as a processing job.",
    "transform": "Send data through a model in batches.",
    "jobs": "List jobs, newest first.",
    "describe": "Show everything known of a job or an endpoint.",
    "logs": "Show the log of a job or an endpoint.",
    "stop": "Ask a running job to stop.",
    "track": "Bring jobs that have ended to MLflow.",
    "serve": "Keep a model ready at an endpoint.",
    "invoke": "Send a request to an endpoint, and print its answer.",
    "endpoints": "List endpoints, newest first.",
    "delete-endpoint": "Delete an endpoint: what runs for it ends.",
    "run": "Run a program against AWS on this machine.",
    "up": "Be AWS on this machine: for SDKs, boto3, the AWS CLI.",
    "down": "End the server that `up` has started.",
    "status": "Show whether a server runs, and where.",
    "env": "Print what points a shell at the server.",
    "build": "Build images: yours, the project's own, or on any base.",
    "lock": "Lock requirements with their hashes: NAME.in to NAME.lock.",
    "push": "Push an image to ECR, so that SageMaker can run it.",
    "config": "Show every setting, and where it comes from.",
    "doctor": "Check what jobs need, here and on AWS, and how to mend it.",
    "iam": "Print the least policies that this project's jobs need.",
    "clean": "Remove what killed processes have left.",
    "prices": "Show what instances cost by the hour, on demand.",
    "ls": "List buckets, or objects below an s3:// URI.",
    "cp": "Copy files to, from and within the local object store.",
    "version": "Show the versions in use and where data is kept.",
}
"""Name to the first line of its help. Command `x-y` is the function `x_y` in
`sagedock.cli.x_y`."""


class LazyGroup(click.Group):
    """A click group whose commands are modules, imported one at a time."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the table's order, which is the order of their use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command itself, imported now."""
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        command: click.Command = getattr(import_module(f"sagedock.cli.{name}"), name)
        command.context_class = CommandContext
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """As click does, from the table."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with the nearest command's name where there is none of this name."""
        if args[0] not in COMMANDS:
            from difflib import get_close_matches

            close = get_close_matches(args[0], COMMANDS, n=1)
            suggestion = f" Did you mean {close[0]!r}?" if close else ""
            ctx.fail(f"No such command {args[0]!r}.{suggestion}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """As click does, but a reader that went away is told to the caller, not turned into 1."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise ReaderGoneError from error


class ReaderGoneError(Exception):
    """Nobody reads standard output any more."""


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="`sagedock COMMAND --help` shows a command's options and examples.",
)
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="SAGEDOCK_DATA",
    show_envvar=True,
    metavar="DIR",
    help="Folder of objects, jobs and logs.  [default: the user's data directory]",
)
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="SAGEDOCK_CONFIG",
    show_envvar=True,
    metavar="FILE",
    help="Configuration of the project.  [default: the nearest sagedock.toml, or pyproject.toml "
    "with [tool.sagedock]]",
)
@click.pass_context
def cli(ctx: click.Context, data: Path | None, config: Path | None) -> None:
    """Bring your own container to Amazon SageMaker, and run it here as the service would."""
    configuration = Configuration(config)
    ctx.meta[META] = configuration
    if isinstance(ctx.command, click.Group):
        ctx.default_map = PerCommand(configuration, ctx.command)
    ctx.obj = data.expanduser().absolute() if data else None
