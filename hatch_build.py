"""Puts what images are made from into the wheel, so that `sagedock build` needs no repository.

In `sagedock/images/shipped` it lies as it does here. A copy, since a file that hatch is told to
include at a second place is missing at its first. An editable installation has the repository.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SHIPPED = "sagedock/images/shipped"
WHAT = (
    ".dockerignore",
    "containers",
    "src/sagedock/__init__.py",
    "src/sagedock/errors.py",
    "src/sagedock/contract",
    "src/sagedock/runtime",
)


class Shipping(BuildHookInterface):
    """Runs before and after the wheel is made."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        self._staging = Path(tempfile.mkdtemp(prefix="sagedock-wheel-"))
        if version == "editable":
            return
        for name in WHAT:
            source, target = Path(self.root) / name, self._staging / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, target)
        build_data["force_include"][str(self._staging)] = SHIPPED

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        shutil.rmtree(self._staging, ignore_errors=True)
