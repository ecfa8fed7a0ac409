"""Algorithm mode as a program of its own: `python -m sagedock.runtime.algorithm`.

Turns errors into a failure file, words on standard error and exit code 1. Knows no XGBoost.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable

from sagedock.contract.failure import compose
from sagedock.contract.paths import MLPaths
from sagedock.runtime import door
from sagedock.runtime.algorithm import train


def run(paths: MLPaths, body: Callable[[MLPaths], int] = train.main) -> int:
    """Exit code of `body`. Whatever it raises leaves a failure file and gives 1 or more."""
    return door.guarded(lambda: _with_surprises(paths, body), paths)


def _with_surprises(paths: MLPaths, body: Callable[[MLPaths], int]) -> int:
    try:
        return body(paths)
    except MemoryError as error:
        return _unexpected(paths, f"Out of memory: {error or 'an allocation was refused'}")
    except (OSError, ArithmeticError, LookupError, TypeError, ValueError, RuntimeError) as error:
        return _unexpected(paths, f"{type(error).__name__}: {error}")


def _unexpected(paths: MLPaths, cause: str) -> int:
    trace = traceback.format_exc()
    print(trace, file=sys.stderr, flush=True)
    door.write_failure(paths, compose(cause, trace))
    return 1


if __name__ == "__main__":
    # OpenMP's threads spin while they wait; beside another job on the same cores that costs many
    # times what it gains. libgomp reads this once, when XGBoost is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    sys.exit(run(door.paths_here()))
