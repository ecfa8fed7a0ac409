"""Ctrl-C while a job on AWS is watched: at a terminal it asks what is meant, else the job goes on.

A job on this machine has been stopped by then: it is this process's own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from sagedock.errors import ResourceNotFoundError, SagedockError, ValidationError
from sagedock.launch.place import Place

if TYPE_CHECKING:
    from sagedock.launch.job import LaunchedJob

_QUESTION = "The job goes on, and is paid for. [s]top it, [l]eave it running, [w]atch on"


def goes_on(session: Place, job: LaunchedJob) -> bool:
    """Whether to go on watching: asked at a terminal, where the job may also be stopped. A second
    Ctrl-C, and everything that is no answer, leaves it running."""
    if not session.asks_when_interrupted() or not sys.stdin.isatty() or not sys.stderr.isatty():
        return False
    for text in _cost(session, job):
        click.echo(f"\n{job.name} has cost {text}", err=True, nl=False)
    click.echo(err=True)
    words = click.Choice(["s", "l", "w"])
    answer = click.prompt(_QUESTION, type=words, default="l", show_choices=False, err=True)
    if answer == "s":
        try:
            job.stop()
        except ValidationError as error:  # it has just ended
            click.echo(error.message, err=True)
        return True  # until it has stopped: its log's end is worth seeing
    return bool(answer == "w")


def say_left(session: Place, job: LaunchedJob) -> None:
    """What has become of the job, and how to get at it."""
    try:
        status = job.describe()[f"{job.kind.capitalize()}JobStatus"]
    except ResourceNotFoundError:
        click.echo(f"interrupted: {job.kind} job {job.name} was not started yet.", err=True)
        return
    except SagedockError as error:
        status = f"unknown ({error.message})"
    click.echo(f"interrupted: {job.kind} job {job.name} is {status} on AWS.", err=True)
    click.echo(f"Watch it:  {session.follow_command(job.name)}", err=True)
    click.echo(f"Stop it:   {session.stop_command(job.name)}", err=True)


def _cost(session: Place, job: LaunchedJob) -> tuple[str, ...]:
    try:
        return session.expenses(job.kind, job.name)
    except SagedockError:
        return ()


@contextmanager
def hushed() -> Iterator[None]:
    """What ends a read for signing is no news, but awscrt writes its traceback to the terminal
    itself, past Python."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
