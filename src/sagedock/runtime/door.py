"""Where errors of the job are caught inside the container, and what is then left behind.

The failure file is the only word that reaches a user who sees no log (A5.6); success and failure
files of an earlier run on the same tree (A5.14) must not speak for this one.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

from sagedock.contract.failure import compose
from sagedock.contract.paths import ML, MLPaths
from sagedock.errors import SagedockError

BASE_VARIABLE = "SAGEMAKER_BASE_DIR"
"""B4: replaces /opt/ml."""


def paths_here() -> MLPaths:
    """The contract's paths in this container."""
    return MLPaths(os.environ.get(BASE_VARIABLE) or ML.root)


def guarded(body: Callable[[], int], paths: MLPaths) -> int:
    """Exit code of `body`; an error of ours becomes words and a failure file, not a traceback."""
    try:
        return body()
    except SagedockError as error:
        print(f"sagedock: error: {error}", file=sys.stderr, flush=True)
        write_failure(paths, compose(error.message, error.hint))
        return error.exit_code or 1


def forget(paths: MLPaths) -> None:
    """Removes the signs of an earlier run."""
    for path in (paths.failure, paths.success):
        with contextlib.suppress(OSError):
            Path(path).unlink()


def has_failure(paths: MLPaths) -> bool:
    """Whether the program left words of its own, which are kept (B6.3)."""
    try:
        return bool(Path(paths.failure).read_bytes().strip())
    except OSError:
        return False


def write_failure(paths: MLPaths, text: str) -> None:
    """Writes the failure file; where that can't be done, the log has to carry the text."""
    try:
        _write(paths.failure, text)
    except OSError as error:
        print(f"sagedock: can't write {paths.failure}: {error}. It would say:\n{text}", flush=True)


def write_success(paths: MLPaths) -> None:
    """B6.4. Only a sign, so that a full disk doesn't turn success into failure."""
    with contextlib.suppress(OSError):
        _write(paths.success, "")


def _write(path: str, text: str) -> None:
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8", errors="replace")
