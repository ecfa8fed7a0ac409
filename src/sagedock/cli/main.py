"""`sagedock` at the terminal: runs a command and turns what goes wrong into words and exit codes.

The only place where errors and signals end. Must not know what the commands do.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from types import FrameType

import click

from sagedock.cli.group import ReaderGoneError, cli
from sagedock.errors import SagedockError

_SIGNALLED = 128
"""A shell's habit: a program that a signal ended exits with 128 plus the signal's number."""


class _Signals:
    """Makes SIGTERM and SIGHUP what Ctrl-C is, so that a job is stopped and not orphaned."""

    def __init__(self) -> None:
        self.last = signal.SIGINT

    def listen(self) -> None:
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup's wish is kept
                signal.signal(number, self._raise)

    def _raise(self, number: int, frame: FrameType | None) -> None:
        self.last = signal.Signals(number)
        raise KeyboardInterrupt


def main() -> int:
    """Run the command line; the exit code. 130 after Ctrl-C, 143 after SIGTERM."""
    signals = _Signals()
    signals.listen()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(
            stream, io.TextIOWrapper
        ):  # what this terminal can't show is no reason to die
            stream.reconfigure(errors="backslashreplace")
    try:
        code = cli.main(prog_name="sagedock", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except SagedockError as error:
        return _told(error)
    except (click.Abort, KeyboardInterrupt):
        return _SIGNALLED + signals.last
    except (ReaderGoneError, BrokenPipeError):
        return _reader_gone()
    return code if isinstance(code, int) else 0


def _told(error: SagedockError) -> int:
    click.echo(f"error: {error.message}", err=True)
    if error.hint:
        click.echo(f"hint: {error.hint}", err=True)
    return error.exit_code


def _reader_gone() -> int:
    """`sagedock logs NAME | head`: end without a word, and without one at the last flush."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return _SIGNALLED + signal.SIGPIPE


if __name__ == "__main__":
    sys.exit(main())
