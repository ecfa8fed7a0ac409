"""Installing what a user's source directory asks for: pip, with its errors told in short.

B5.3: requirements.txt for scripts and packages, not for commands; B5.1b: a package is installed
itself. Must not know what runs afterwards.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path

from sagedock.errors import TrainingError
from sagedock.runtime.entry_point import Kind

FILE = "requirements.txt"
CODEARTIFACT_VARIABLE = "CA_REPOSITORY_ARN"
_ERRORS_KEPT = 8
_TAIL_KEPT = 15
_CREDENTIALS = re.compile(r"(https?://)[^/\s@]+@")
_UNSATISFIED = re.compile(r"No matching distribution found for (.+)")
_INVALID = re.compile(r"Invalid requirement: ['\"]?([^'\"\n]+)")
_BUILD = re.compile(r"Failed (?:to build|building wheel for) (.+)")


def arguments_for(kind: Kind, folder: Path) -> list[str]:
    """What pip has to install, empty when nothing."""
    has_file = (folder / FILE).exists()
    if kind is Kind.PACKAGE:
        return [".", *(["-r", FILE] if has_file else [])]
    return ["-r", FILE] if kind is Kind.SCRIPT and has_file else []


def install(kind: Kind, folder: Path) -> None:
    """Runs pip in `folder`, its output passed on. Raises TrainingError with pip's last words."""
    wanted = arguments_for(kind, folder)
    if not wanted:
        return
    index = _codeartifact_index() if os.environ.get(CODEARTIFACT_VARIABLE) else []
    print(f"sagedock: pip install {' '.join(wanted)}", flush=True)
    environment = {"PIP_ROOT_USER_ACTION": "ignore", **os.environ}
    code, lines = _run(
        [sys.executable, "-m", "pip", "install", *wanted, *index], folder, environment
    )
    if code:
        raise failure(code, lines, (folder / FILE).as_posix() if FILE in wanted else str(folder))


def failure(code: int, lines: Iterable[str], source: str) -> TrainingError:
    """The error for a pip that ended with `code` after `lines`: it names the package."""
    said = [_CREDENTIALS.sub(r"\1", line.strip()) for line in lines]
    errors = [line for line in said if line.startswith("ERROR:") or line.startswith("error:")]
    package = _package(said)
    what = f"{package} (from {source})" if package else source
    words = "\n".join((errors or said)[-4:])
    return TrainingError(
        f"Could not install {what}: pip exited with code {code}.\n{words}",
        hint="Check the name and the version. Where the package index isn't reachable, set "
        "PIP_INDEX_URL, HTTPS_PROXY and PIP_CERT on the machine.",
    )


def _package(lines: Sequence[str]) -> str:
    for pattern in (_UNSATISFIED, _INVALID, _BUILD):
        for line in reversed(lines):
            match = pattern.search(line)
            if match:
                return match.group(1).strip(" .")
    return ""


def _run(
    command: Sequence[str], folder: Path, environment: dict[str, str]
) -> tuple[int, list[str]]:
    """Exit code, and of the output each error and the last lines."""
    errors: deque[str] = deque(maxlen=_ERRORS_KEPT)
    tail: deque[str] = deque(maxlen=_TAIL_KEPT)
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            (errors if "ERROR:" in line else tail).append(line)
    return process.returncode, [*tail, *errors]


def _codeartifact_index() -> list[str]:
    """B4: pip's index from AWS CodeArtifact, by the toolkit's own code."""
    from sagemaker_training.modules import _get_codeartifact_index

    return ["-i", _get_codeartifact_index()]
