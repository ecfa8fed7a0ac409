"""Runs programs for the images' room: Docker clients, git, uv. The one place here that starts any.

Takes the environment as a mapping; must not know what is built, nor terminals.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sagedock.errors import BuildError, EngineUnavailableError
from sagedock.images.clients import candidates

_PERMISSION_HINT = (
    "Add yourself to the group docker (`sudo usermod -aG docker $USER`, then log in again), or "
    "name another engine with DOCKER_HOST."
)
_ENGINE_HINT = (
    "Run docker/ensure-engine.sh, or start Docker; DOCKER_HOST names an engine elsewhere."
)


class Programs:
    """Programs run with one environment; nothing is read from a terminal."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.variables = environ

    def captured(
        self,
        arguments: Sequence[str],
        added: Mapping[str, str] | None = None,
        *,
        folder: Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run to the end; what it printed. FileNotFoundError where there is no such program."""
        return subprocess.run(
            arguments,
            env={**self.variables, **(added or {})},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def ask(self, arguments: Sequence[str], variables: Mapping[str, str]) -> str | None:
        """What it printed, None if it failed."""
        done = self.captured(arguments, variables)
        return done.stdout if done.returncode == 0 else None

    def followed(
        self, arguments: Sequence[str], variables: Mapping[str, str], line: Callable[[str], None]
    ) -> int:
        """Run, each line of both its outputs told as it comes; the exit code. An exception of
        `line` ends the program, too."""
        with subprocess.Popen(
            arguments,
            env={**self.variables, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            try:
                for text in process.stdout or ():
                    line(text.rstrip())
            except BaseException:
                process.terminate()
                raise
        return process.returncode

    @contextlib.contextmanager
    def archive(self, arguments: Sequence[str]) -> Iterator[tarfile.TarFile]:
        """What it prints, as a tar archive that is read once, from its beginning to its end."""
        with subprocess.Popen(
            arguments, env=dict(self.variables), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        ) as process:
            try:
                with tarfile.open(fileobj=process.stdout, mode="r|") as opened:
                    yield opened
            except BaseException:
                process.terminate()
                raise
        if process.returncode:
            raise BuildError(f"{' '.join(arguments[:2])} ended with {process.returncode}.")

    def git(self, folder: Path, *arguments: str) -> str:
        """What git says of a folder; nothing without git or outside a repository."""
        try:
            done = self.captured(["git", "-C", str(folder), *arguments])
        except FileNotFoundError:
            return ""
        return done.stdout.strip() if done.returncode == 0 else ""


class DockerProgram:
    """The first `docker` on PATH, for everything but building. Raises EngineUnavailableError."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.programs = Programs(environ)
        self.candidates = candidates(environ.get("PATH", ""))

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        if not self.candidates:
            raise EngineUnavailableError("There is no docker client on PATH.", hint=_ENGINE_HINT)
        return self.programs.captured([self.candidates[0], *arguments])

    def _done(self, *arguments: str) -> str:
        done = self._run(*arguments)
        if done.returncode:
            raise BuildError(f"docker {' '.join(arguments[:2])} failed: {done.stderr.strip()}")
        return done.stdout

    def inspect(self, *images: str) -> dict[str, dict[str, Any]]:
        """Each image's document by the name asked for; what isn't there is left out."""
        if not images:
            return {}
        done = self._run("image", "inspect", *images)
        if done.returncode == 0:
            return dict(zip(images, json.loads(done.stdout), strict=True))
        if "no such image" not in done.stderr.lower():
            raise _unavailable(done.stderr)
        if len(images) == 1:
            return {}
        return {
            name: document for image in images for name, document in self.inspect(image).items()
        }

    def history(self, image: str) -> list[dict[str, Any]]:
        """The steps that made an image, oldest first: Size in bytes, CreatedBy, Comment."""
        text = self._done("image", "history", "--no-trunc", "--human=false",
                          "--format", "{{json .}}", image)  # fmt: skip
        rows = [json.loads(line) for line in text.splitlines() if line.strip()]
        return [{**row, "Size": int(row["Size"])} for row in reversed(rows)]

    def architecture(self) -> str:
        """Of the engine: amd64, arm64 …"""
        return self._done("version", "--format", "{{.Server.Arch}}").strip()

    def pull(self, image: str) -> None:
        """Pull an image, where its registry can be reached; `inspect` tells whether it came."""
        self._run("pull", "--quiet", image)

    def tag(self, image: str, name: str) -> None:
        """Give an image another name."""
        self._done("image", "tag", image, name)

    def remove(self, name: str) -> None:
        """Take a name away, and the image if it had no other."""
        self._run("image", "rm", name)

    @contextlib.contextmanager
    def files(self, image: str) -> Iterator[tarfile.TarFile]:
        """All files of an image, as a container of it would see them. Nothing is started."""
        container = self._done("create", image, "sh").strip()
        try:
            with self.programs.archive([self.candidates[0], "export", container]) as opened:
                yield opened
        finally:
            self._run("rm", "--force", container)


def _unavailable(words: str) -> EngineUnavailableError:
    hint = _PERMISSION_HINT if "permission denied" in words.lower() else _ENGINE_HINT
    return EngineUnavailableError(f"The Docker engine can't be used: {words.strip()}", hint=hint)
