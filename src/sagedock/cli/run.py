"""`sagedock run`: a program against the local AWS, and its exit code."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sagedock.cli.options import DATA

if TYPE_CHECKING:
    from sagedock.local.settings import LocalSettings
    from sagedock.server.running.state import State

_SIGNALLED = 128
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126
_TOLD = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
)
_OF_TERMINALS = frozenset((signal.SIGINT, signal.SIGQUIT))


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog="""\b
Example:
  sagedock run -- python my_launch_script.py""",
)
@click.option("--offline", is_flag=True,
              help="The program's proxy passes nothing on beyond this machine.")  # fmt: skip
@DATA
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_obj
def run(data: Path | None, offline: bool, command: tuple[str, ...]) -> None:
    """Run a program against AWS on this machine.

    The program needs no change: SDKs, boto3 and the AWS CLI in it find the local AWS and nothing
    of the real one. Uses the server that runs on the data folder, else one of its own for as long
    as the program runs. Exits as the program does; 128 + n where signal n has ended it. Jobs and
    endpoints that the program has started go on.
    """
    from sagedock.cli.context import settings_of
    from sagedock.server.running.environment import applied, program_environment

    settings = settings_of(data)
    with _server(settings, offline) as state:
        changes = program_environment(state, settings.data, os.environ, home=Path.home())
        code = _run(command, applied(changes, os.environ))
    raise click.exceptions.Exit(code)


@contextmanager
def _server(settings: LocalSettings, offline: bool) -> Iterator[State]:
    from sagedock.cli.serving import application, plan
    from sagedock.server.running.daemon import Server
    from sagedock.server.running.state import running

    found = running(settings.data)
    if found and found.offline >= offline:
        yield found
        return
    with closing(Server(settings, plan(port=0, offline=offline, known=False), application)) as own:
        yield own.start()


def _run(command: tuple[str, ...], environment: dict[str, str]) -> int:
    with ExitStack() as held:
        told = held.enter_context(_signals())
        try:
            process = subprocess.Popen(command, env=environment)
        except FileNotFoundError:
            click.echo(f"error: There is no program {command[0]!r}.", err=True)
            return _NOT_FOUND
        except OSError as error:
            click.echo(f"error: {command[0]!r} can't be run: {error.strerror}.", err=True)
            return _NOT_EXECUTABLE
        told(process)
        code = process.wait()
    return code if code >= 0 else _SIGNALLED - code


@contextmanager
def _signals() -> Iterator[Callable[[subprocess.Popen[bytes]], None]]:
    """Signals are the program's: told to it, those that come before it is there, too. What a
    terminal's keys send, the terminal has sent to the program itself."""
    running: list[subprocess.Popen[bytes]] = []
    early: list[int] = []

    def tell(number: int, frame: Any = None) -> None:
        if not running:
            early.append(number)
        elif not (number in _OF_TERMINALS and _is_in_foreground()):
            running[0].send_signal(number)

    def begin(process: subprocess.Popen[bytes]) -> None:
        running.append(process)
        for number in early:
            process.send_signal(number)

    before = {
        number: signal.signal(number, tell)
        for number in _TOLD
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield begin
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_in_foreground() -> bool:
    """Whether a terminal's keys reach this process' group."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
