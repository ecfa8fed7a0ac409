"""`python -m sagedock.images [NAME...]`: builds images and prints their sizes.

For the Makefile's first run. Must not know more than arguments and printing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from sagedock import __version__
from sagedock.errors import SagedockError
from sagedock.images import BuiltImage, build, find_root

_DEFAULT = ("base", "training", "processing")


def main(arguments: Sequence[str]) -> int:
    """Exit code: 0, or that of the error, which is printed."""
    try:
        images = build(
            arguments or _DEFAULT,
            root=find_root(),
            version=__version__,
            environ=os.environ,
            report=lambda line: print(line, flush=True),
        )
    except SagedockError as error:
        print(f"sagedock: {error}", file=sys.stderr)
        return error.exit_code
    for image in images:
        print(describe(image))
    return 0


def describe(image: BuiltImage) -> str:
    """One line: tag, size, how long it took."""
    took = f"built in {image.seconds:.1f} s" if image.fresh else "up to date"
    return f"{image.tags[0]:<28} {image.size / 1e6:6.0f} MB  {took}"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
