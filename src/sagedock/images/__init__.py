"""Images: what they are made of, whether they are up to date, and the build itself.

`plan` says what to build (pure), `source` digests what goes in, `clients` finds a Docker client
that can build, `build` runs it, `report` says what came of it. Must not know jobs, nor read the
environment: the door passes it.
"""

from sagedock.images.build import BuiltImage, build
from sagedock.images.folder import build_folder
from sagedock.images.onto import build_onto
from sagedock.images.plan import IMAGES, Wishes, names_in_order
from sagedock.images.source import find_root

__all__ = [
    "IMAGES",
    "BuiltImage",
    "Wishes",
    "build",
    "build_folder",
    "build_onto",
    "find_root",
    "names_in_order",
]
