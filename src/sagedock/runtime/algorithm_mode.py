"""Algorithm mode as a program of its own, below the supervisor: no script, the image trains itself.

Must not know the algorithm; it only stands at its door.
"""

from __future__ import annotations

import sys

from sagedock.runtime import door


def main() -> int:
    """Exit code of the algorithm; a user's mistake becomes a failure file."""
    from sagedock.runtime.algorithm import train

    paths = door.paths_here()
    return door.guarded(lambda: train.main(paths), paths)


if __name__ == "__main__":
    sys.exit(main())
