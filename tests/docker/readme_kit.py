"""Runs what a README tells people to type: the blocks below one of its headings, as one script."""

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


def commands(readme: str, heading: str) -> str:
    """All blocks of code below `heading`, up to the next heading."""
    section = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", readme, re.M | re.S)
    assert section, f"no heading {heading!r}"
    blocks = re.findall(r"^```\n(.*?)^```$", section[1], re.M | re.S)
    assert blocks, f"no commands below {heading!r}"
    return "".join(blocks)


@dataclass
class Shell:
    """bash in a folder, with an environment of its own that every script sees."""

    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def run(self, script: str) -> "subprocess.CompletedProcess[str]":
        """One script, stopped at the first command that fails. stdout and stderr are kept apart."""
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env={**os.environ, **self.variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def done(self, script: str) -> str:
        """The same, which must succeed; its standard output."""
        done = self.run(script)
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout


def remove_images(name: str) -> None:
    """Take away every image with `name` in its own, those that jobs have pulled included."""
    listed = subprocess.run(
        ["docker", "images", "--format", "{{.Repository}}:{{.Tag}}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = [line for line in listed.stdout.splitlines() if name in line]
    if found:
        subprocess.run(
            ["docker", "image", "rm", "--force", *found], capture_output=True, check=True
        )
