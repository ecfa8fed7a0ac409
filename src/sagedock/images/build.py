"""Builds images with BuildKit: the one place that runs a Docker client as a program.

Takes the environment as a mapping and reports lines to a callback; must not know terminals.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sagedock.errors import BuildError, EngineUnavailableError
from sagedock.images import plan as plans
from sagedock.images.clients import Client, candidates, choose, command
from sagedock.images.source import digest

Report = Callable[[str], None]

_NOISE = re.compile(r"#\d+ (sha256:|extracting |transferring )|#\d+ \.\.\.$|\s*$")
_FAILED_STEP = re.compile(r"^ > (?P<step>\[.*?)(:\s*)?$")
_TAIL = 20
_PERMISSION_HINT = (
    "Add yourself to the group docker (`sudo usermod -aG docker $USER`, then log in again), or "
    "name another engine with DOCKER_HOST."
)
_ENGINE_HINT = (
    "Run docker/ensure-engine.sh, or start Docker; DOCKER_HOST names an engine elsewhere."
)


@dataclass(frozen=True, kw_only=True)
class BuiltImage:
    """An image that is there now. `size` in bytes, unpacked, all layers; `seconds` is the build's
    duration, 0 where `fresh` is False because nothing had changed."""

    name: str
    tags: tuple[str, ...]
    id: str
    size: int
    seconds: float
    fresh: bool


def build(
    names: Iterable[str],
    *,
    root: Path,
    version: str,
    environ: Mapping[str, str],
    report: Report = lambda line: None,
    force: bool = False,
    platform: str | None = None,
) -> tuple[BuiltImage, ...]:
    """Build the named images and what they stand on, parents first; skip what is up to date.

    An image is up to date when its label says it was made from the same inputs and parent.
    Raises BuildError (no client that can build, OS image missing, a step that failed: with the
    last lines of its output) and EngineUnavailableError.
    """
    builder = Builder(root=root, version=version, environ=environ, report=report)
    ordered = plans.names_in_order(names)
    return tuple(builder.ensure(name, force=force, platform=platform) for name in ordered)


class Builder:
    """One run over several images: the client that can build is looked for once, if at all."""

    def __init__(
        self, *, root: Path, version: str, environ: Mapping[str, str], report: Report
    ) -> None:
        self._root = root
        self._version = version
        self._environ = environ
        self._report = report
        self._programs = candidates(environ.get("PATH", ""))
        self._client: Client | None = None

    def ensure(self, name: str, *, force: bool = False, platform: str | None = None) -> BuiltImage:
        """The image as it should be, built unless it is there; its parent must be."""
        spec = plans.IMAGES[name]
        made_from = digest(self._root, spec, self._parent_id(spec), platform or "")
        found = None if force else self._current(name, made_from)
        if found is not None:
            return found
        plan = plans.make_plan(
            spec,
            root=self._root,
            version=self._version,
            digest=made_from,
            environ=self._environ,
            revision=self.revision(),
            source=self.source(),
            platform=platform,
        )
        return self.execute(name, plan)

    def execute(self, name: str, plan: plans.BuildPlan) -> BuiltImage:
        """Run one build, whatever is there already. BuildError with its last lines if it fails."""
        started = time.monotonic()
        self._report(f"building {plan.tags[0]}")
        if self._client is None:
            self._client = choose(self._programs, self._ask)
        for secret in plan.secrets:
            _check_readable(secret)
        with _secret_files(plan.secrets) as files:
            self._run(command(self._client, plan, files), name, self._client.variables)
        document = self._inspect(plan.tags[0])[plan.tags[0]]
        seconds = time.monotonic() - started
        return _built(name, plan.tags, document, seconds=seconds, fresh=True)

    def revision(self) -> str:
        """The commit that the files are of, `-dirty` where they differ; nothing outside git."""
        return self._git("describe", "--always", "--dirty", "--abbrev=40", "--exclude", "*")

    def source(self) -> str:
        """The repository's public address, where it has one."""
        return plans.source_url(self._git("config", "--get", "remote.origin.url"))

    def _parent_id(self, spec: plans.ImageSpec) -> str:
        tag = plans.parent_tag(spec, self._version)
        found = self._inspect(tag)
        if tag in found:
            return str(found[tag]["Id"])
        raise BuildError(
            f"{tag}, which {plans.repository(spec.name)} stands on, is not in the engine.",
            hint=f"Run docker/ensure-base.sh, or: docker pull {tag}",
        )

    def _current(self, name: str, made_from: str) -> BuiltImage | None:
        """The image as it is, if both tags name one that was made from the same inputs."""
        tags = plans.tags(name, self._version)
        found = self._inspect(*tags)
        if len({document["Id"] for document in found.values()}) != 1 or len(found) != len(tags):
            return None
        document = found[tags[0]]
        if (document["Config"].get("Labels") or {}).get(plans.INPUTS_LABEL) != made_from:
            return None
        return _built(name, tags, document, seconds=0.0, fresh=False)

    def _run(self, arguments: Sequence[str], name: str, variables: Mapping[str, str]) -> None:
        output: list[str] = []
        with subprocess.Popen(
            arguments,
            env={**self._environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            try:
                for line in process.stdout or ():
                    output.append(line.rstrip())
                    if not _NOISE.match(line):
                        self._report(output[-1])
            except BaseException:
                process.terminate()
                raise
        if process.returncode:
            raise _failure(name, output)

    def _inspect(self, *images: str) -> dict[str, dict[str, Any]]:
        """Each image's document by the name asked for; what isn't there is left out."""
        if not self._programs:
            raise EngineUnavailableError("There is no docker client on PATH.", hint=_ENGINE_HINT)
        found = {}
        for image in images:
            done = self._captured([self._programs[0], "image", "inspect", image], {})
            if done.returncode == 0:
                found[image] = json.loads(done.stdout)[0]
            elif "no such image" not in done.stderr.lower():
                raise _unavailable(done.stderr)
        return found

    def _ask(self, arguments: Sequence[str], variables: Mapping[str, str]) -> str | None:
        done = self._captured(arguments, variables)
        return done.stdout if done.returncode == 0 else None

    def _git(self, *arguments: str) -> str:
        """What git says of the repository; nothing without git or outside one."""
        try:
            done = self._captured(["git", "-C", str(self._root), *arguments], {})
        except FileNotFoundError:
            return ""
        return done.stdout.strip() if done.returncode == 0 else ""

    def _captured(
        self, arguments: Sequence[str], variables: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            arguments,
            env={**self._environ, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


def _unavailable(words: str) -> EngineUnavailableError:
    hint = _PERMISSION_HINT if "permission denied" in words.lower() else _ENGINE_HINT
    return EngineUnavailableError(f"The Docker engine can't be used: {words.strip()}", hint=hint)


def _built(
    name: str, tags: tuple[str, ...], document: Mapping[str, Any], *, seconds: float, fresh: bool
) -> BuiltImage:
    return BuiltImage(
        name=name,
        tags=tags,
        id=document["Id"],
        size=document["Size"],
        seconds=seconds,
        fresh=fresh,
    )


def _check_readable(secret: plans.Secret) -> None:
    if secret.path and not Path(secret.path).is_file():
        raise BuildError(
            f"The certificate bundle {secret.path} does not exist.",
            hint="It is named by SAGEDOCK_CA_BUNDLE, SSL_CERT_FILE or REQUESTS_CA_BUNDLE: "
            "correct the variable or unset it.",
        )


@contextlib.contextmanager
def _secret_files(secrets: Iterable[plans.Secret]) -> Iterator[dict[str, str]]:
    """Each secret as a file; values in a folder only we can read, gone when the build ends."""
    with TemporaryDirectory(prefix="sagedock-build-") as folder:
        files = {}
        for secret in secrets:
            files[secret.id] = secret.path or str(Path(folder) / secret.id)
            if not secret.path:
                Path(files[secret.id]).write_text(secret.value, encoding="utf-8")
        yield files


def _failure(name: str, output: Sequence[str]) -> BuildError:
    lines = [line for line in output if not _NOISE.match(line)]
    steps = [match["step"] for line in lines if (match := _FAILED_STEP.match(line))]
    where = f" at the step {steps[-1]}" if steps else ""
    tail = "\n".join(f"  {line}" for line in lines[-_TAIL:])
    return BuildError(
        f"The image {plans.repository(name)} could not be built{where}. Its last lines:\n{tail}",
        hint="If a download failed: HTTPS_PROXY, PIP_INDEX_URL and SAGEDOCK_CA_BUNDLE reach the "
        "build. `docker system df` shows whether the engine's disk is full.",
    )
