"""`sagedock up`: the local AWS, until Ctrl-C or in the background."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sagedock.cli.options import DATA, MOTO

if TYPE_CHECKING:
    from sagedock.local.settings import LocalSettings

_GO_ON = "Jobs and endpoints go on when it ends: they have processes of their own."


@click.command(
    epilog="""\b
Examples:
  sagedock up --detach && eval "$(sagedock env)"
  sagedock up --host 192.168.1.20    # with SAGEDOCK_TOKEN set: every request has to be signed"""
)
@click.option("--port", type=click.IntRange(0, 65535), default=4566, show_default=True,
              help="Where to listen; 0 for any free port.")  # fmt: skip
@click.option("-d", "--detach", is_flag=True, help="Return when it answers; it runs by itself.")
@click.option("--host", "hosts", multiple=True, metavar="ADDRESS",
              help="Listen there, too, for other machines. Needs --token. Repeatable.")  # fmt: skip
@click.option("--token", envvar="SAGEDOCK_TOKEN", metavar="SECRET", show_envvar=True,
              help="Secret access key that every request has to be signed with.")  # fmt: skip
@click.option("--region", metavar="REGION", help="Such as eu-west-1.  [default: AWS_REGION]")
@click.option("--offline", is_flag=True,
              help="The proxy refuses all that is not AWS, instead of passing it on.")  # fmt: skip
@MOTO
@DATA
@click.pass_obj
def up(data: Path | None, /, detach: bool, **options: Any) -> None:
    """Be AWS on this machine: for SDKs, boto3, the AWS CLI.

    Listens at loopback, and for containers at the engine's bridge. Jobs and endpoints go on when
    it ends: they have processes of their own.
    """
    from sagedock.cli.context import settings_of

    settings = settings_of(data)
    if options["region"]:
        from dataclasses import replace

        settings = replace(settings, region=options["region"])
    if detach:
        _in_background(settings, options)
    else:
        _here(settings, options)


def _here(settings: LocalSettings, options: dict[str, Any]) -> None:
    from sagedock.cli.serving import application, lines_of, plan
    from sagedock.server.running.daemon import Server

    wanted = plan(**{name: options[name] for name in ("port", "hosts", "token", "offline")})
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: ended.set())
    made = partial(application, moto=options["moto"])
    with closing(Server(settings, wanted, made)) as server:
        state = server.start()
        for line in lines_of(state, settings.data):
            click.echo(line)
        click.echo('Point a shell at it: eval "$(sagedock env)"; Ctrl-C ends it.')
        click.echo(_GO_ON)
        sys.stdout.flush()
        ended.wait()


def _in_background(settings: LocalSettings, options: dict[str, Any]) -> None:
    from sagedock.cli.serving import lines_of
    from sagedock.server.running.daemon import spawn
    from sagedock.server.running.state import running

    state = running(settings.data)
    if state is None:
        command = [sys.executable, "-m", "sagedock.cli.main", "--data", str(settings.data), "up",
                   f"--port={options['port']}", f"--region={settings.region}",
                   *(f"--host={host}" for host in options["hosts"]),
                   *(["--offline"] if options["offline"] else []),
                   *(["--moto"] if options["moto"] else [])]  # fmt: skip
        secret = {"SAGEDOCK_TOKEN": options["token"]} if options["token"] else {}
        state = spawn(command, settings.data, {**os.environ, **secret})
    else:
        _check_same(state.port, options["port"], settings.data)
        click.echo("It runs already.")
    for line in lines_of(state, settings.data):
        click.echo(line)
    click.echo('Point a shell at it: eval "$(sagedock env)"; end it: sagedock down')


def _check_same(port: int, wanted: int, data: Path) -> None:
    from sagedock.errors import ResourceInUseError

    source = click.get_current_context().get_parameter_source("port")
    if source is click.core.ParameterSource.COMMANDLINE and wanted not in {0, port}:
        raise ResourceInUseError(
            f"A server runs on {data} already, at port {port}.", hint="End it: sagedock down"
        )
