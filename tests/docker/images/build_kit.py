"""`sagedock` as a program, images that are gone afterwards, and what lies in their layers."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

PREFIX = "sagedock-test-build"


class Images:
    """Builds by the command line; `names` are removed at the end."""

    def __init__(self, docker: Callable[..., Any]) -> None:
        self.docker = docker
        self.names: list[str] = []

    def name(self, text: str) -> str:
        """An image's name of this test's own."""
        made = f"{PREFIX}/{text}"
        self.names.append(made)
        return made

    def sagedock(
        self, *arguments: str, check: bool = True, environ: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(Path(sys.executable).with_name("sagedock")), *arguments],
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    def build(self, *arguments: str, environ: Mapping[str, str] | None = None) -> dict[str, Any]:
        """What --json says of the last image."""
        done = self.sagedock("build", *arguments, "--json", "-q", environ=environ)
        return dict(json.loads(done.stdout)[-1])

    def close(self) -> None:
        for name in self.names:
            self.docker("image", "rm", "--force", name, check=False)


def layers(tag: str) -> Iterator[tuple[str, str, bytes]]:
    """Every file of every layer of an image, deleted ones included: (layer, path, content)."""
    with (
        subprocess.Popen(["docker", "save", tag], stdout=subprocess.PIPE) as saved,
        tarfile.open(fileobj=saved.stdout, mode="r|") as outer,
    ):
        for part in outer:
            data = outer.extractfile(part).read() if part.isfile() else b""
            if data[257:262] != b"ustar":
                yield "image", part.name, data
                continue
            with tarfile.open(fileobj=io.BytesIO(data)) as inner:
                for entry in inner:
                    content = inner.extractfile(entry).read() if entry.isfile() else b""
                    yield part.name, entry.name, content
    assert saved.returncode == 0
