"""A program's name → the command that runs it: the toolkit's rules as pure functions.

The rules are sagemaker-training 5.1.4's (B5.1, B5.1b, B5.2, B5.3); a Docker test compares the two.
They are spelled out here since importing the toolkit's own costs a script's start 0.1 s or more.
Must not know how a command is run.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Sequence
from enum import Enum
from pathlib import PurePosixPath

from sagedock.errors import TrainingError

_SAFE = re.compile(r"[A-Za-z0-9._][A-Za-z0-9._+-]*(/[A-Za-z0-9._+-]+)*")
_LISTED = 20


class Kind(Enum):
    PACKAGE = "package"
    SCRIPT = "script"
    COMMAND = "command"


def kind_of(program: str, files: Collection[str]) -> Kind:
    """What `program` is, in a code folder that holds `files` at its top (B5.1)."""
    if program.endswith(".sh"):
        return Kind.COMMAND
    if "setup.py" in files:
        return Kind.PACKAGE
    return Kind.SCRIPT if program.endswith(".py") else Kind.COMMAND


def check_name(program: str) -> None:
    """Raises TrainingError unless `program` is a plain relative path (B5.2)."""
    parts = program.split("/")
    if not _SAFE.fullmatch(program) or "." in parts or ".." in parts:
        raise TrainingError(
            f"The program's name {program!r} can't be used: it must be a path relative to the "
            "source directory, made of letters, digits and . _ + - /, without '.' or '..' parts "
            "and without a leading '-' or '/'.",
            hint="Rename the script, and give its name as entry_point (sagemaker_program), "
            "for example 'train.py' or 'bin/train.sh'.",
        )


def command_of(program: str, kind: Kind, arguments: Sequence[str], *, python: str) -> list[str]:
    """The command, to be run in the code folder (B5.1).

    A shell command is `exec`ed by its shell, so that a signal reaches the user's script itself.
    """
    if kind is Kind.PACKAGE:
        return [python, "-m", program.removesuffix(".py"), *arguments]
    if kind is Kind.SCRIPT:
        return [python, "--", program, *arguments]
    quoted = " ".join(shlex.quote(word) for word in arguments)
    return ["/bin/sh", "-c", f"exec ./{shlex.quote(program)} {quoted}".rstrip()]


def not_found(program: str, folder: str, files: Sequence[str]) -> TrainingError:
    """The error for a program that isn't in `folder`, which holds `files` (relative paths)."""
    listed = ", ".join(sorted(files)[:_LISTED]) or "nothing"
    more = f" and {len(files) - _LISTED} more" if len(files) > _LISTED else ""
    wanted = PurePosixPath(program).stem.lower()
    near = [name for name in sorted(files) if PurePosixPath(name).stem.lower() == wanted]
    hint = (
        f"Did you mean {near[0]}? entry_point is relative to source_dir."
        if near
        else "Check entry_point (sagemaker_program) and source_dir: the script must lie in it."
    )
    return TrainingError(
        f"Script {program} not found in {folder}: it holds {listed}{more}.", hint=hint
    )
