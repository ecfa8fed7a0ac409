"""Builds images with a client that can: what is up to date is left, what is too large is refused.

`program.py` runs the client; lines are reported to a callback. Must not know terminals.
"""

from __future__ import annotations

import contextlib
import re
import secrets as random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sagedock.errors import BuildError, UsageError
from sagedock.images import lock
from sagedock.images import plan as plans
from sagedock.images import report as reports
from sagedock.images.clients import BUILDX, CLASSIC, INSTALL_HINT, Client, choose, command
from sagedock.images.dockerfile import buildkit_features
from sagedock.images.program import DockerProgram
from sagedock.images.source import digest, is_shipped

Report = Callable[[str], None]

_NOISE = re.compile(r"#\d+ (sha256:|extracting |transferring )|#\d+ \.\.\.$|\s*$")
_FAILED_STEP = re.compile(r"^ > (?P<step>\[.*?)(:\s*)?$")
_TOLD = re.compile(r"^(?:#\d+ [\d.]+ )?sagedock: error: (?P<words>.*)")
_FOREIGN = re.compile(r"exec format error|qemu-\w+", re.IGNORECASE)
_MISSING = re.compile(r"^\s*> \[internal\] load metadata for (?P<base>\S+?):\s*$")
_NO_BASE = re.compile(r"no match for platform|ERROR: .*(manifests/|not found|no such host)", re.I)
_TAIL = 20
_HEAVY = 6


@dataclass(frozen=True, kw_only=True)
class BuiltImage:
    """An image that is there now. `size` in bytes, unpacked, all layers; `seconds` is the build's
    duration, 0 where `fresh` is False because nothing had changed. `change` compares it to the last
    one of that name; `client` says what has built it."""

    name: str
    tags: tuple[str, ...]
    id: str
    size: int
    seconds: float
    fresh: bool
    budget: int | None = None
    client: str = ""
    layers: tuple[reports.Layer, ...] = ()
    change: reports.Change | None = None


def build(
    names: Iterable[str],
    *,
    root: Path,
    version: str,
    environ: Mapping[str, str],
    report: Report = lambda line: None,
    force: bool = False,
    wishes: plans.Wishes | None = None,
) -> tuple[BuiltImage, ...]:
    """Build the named images and what they stand on, parents first; skip what is up to date.

    An image is up to date when its label says it was made from the same inputs and parent.
    Raises BuildError (no client that can build, OS image missing, a lock that is stale, an image
    over its budget, a step that failed: with the last lines of its output) and
    EngineUnavailableError.
    """
    builder = Builder(root=root, version=version, environ=environ, report=report)
    named = tuple(names)
    asked = wishes or plans.Wishes()
    below = plans.Wishes(platform=asked.platform, secrets=asked.secrets)
    return tuple(
        builder.ensure(name, force=force, wishes=asked if name in named else below)
        for name in plans.names_in_order(named)
    )


class Builder:
    """One run over several images: the client that can build is looked for once, if at all."""

    def __init__(
        self, *, root: Path, version: str, environ: Mapping[str, str], report: Report
    ) -> None:
        self._root = root
        self._version = version
        self._environ = environ
        self._report = report
        self.docker = DockerProgram(environ)
        self._client: Client | None = None

    def ensure(
        self, name: str, *, force: bool = False, wishes: plans.Wishes | None = None
    ) -> BuiltImage:
        """The image as it should be, built unless it is there; its parent must be."""
        spec, asked = plans.IMAGES[name], wishes or plans.Wishes()
        lock.check(self._root / "containers" / name)
        parent = plans.parent_tag(spec, self._version)
        tags = plans.all_tags(spec, self._version, asked)
        there = self.docker.inspect(parent, *tags)
        made_from = self._made_from(spec, asked, there)
        if not force and not asked.no_cache:
            current = _current([there.get(tag) for tag in tags], made_from)
            if current is not None:
                budget = asked.budget or spec.budget
                self._check_budget(tags[0], budget, current)
                return BuiltImage(
                    name=name, tags=tags, id=current["Id"], size=current["Size"], seconds=0.0,
                    fresh=False, budget=budget,
                )  # fmt: skip
        return self.execute(name, self._plan(spec, asked, made_from))

    def plan(self, name: str, wishes: plans.Wishes) -> plans.BuildPlan:
        """The build of one of the project's images. BuildError for a lock that is stale, or where
        what it stands on is not there."""
        spec = plans.IMAGES[name]
        lock.check(self._root / "containers" / name)
        there = self.docker.inspect(plans.parent_tag(spec, self._version))
        return self._plan(spec, wishes, self._made_from(spec, wishes, there))

    def _plan(self, spec: plans.ImageSpec, wishes: plans.Wishes, made_from: str) -> plans.BuildPlan:
        return plans.make_plan(
            spec,
            root=self._root,
            version=self._version,
            digest=made_from,
            environ=self._environ,
            revision=self.revision(),
            source=self.source(),
            wishes=wishes,
            epoch=self.epoch(spec.inputs),
        )

    def _made_from(
        self, spec: plans.ImageSpec, wishes: plans.Wishes, there: Mapping[str, Mapping[str, Any]]
    ) -> str:
        """One digest of all that the image is made from."""
        tag = plans.parent_tag(spec, self._version)
        if tag not in there:
            raise BuildError(
                f"{tag}, which {plans.repository(spec.name)} stands on, is not in the engine.",
                hint=f"Run docker/ensure-base.sh, or: docker pull {tag}",
            )
        return digest(self._root, spec, str(there[tag]["Id"]), *_marks(wishes))

    def execute(self, name: str, plan: plans.BuildPlan) -> BuiltImage:
        """Run one build, whatever is there already. BuildError with its last lines if it fails;
        an image over its budget gets none of the plan's tags."""
        started = time.monotonic()
        self._report(f"building {plan.tags[0]}")
        client = self.client()
        _check_client(client, plan, self._report, self.docker)
        before = self.facts(plan.tags[0])
        with _tag_to_try(plan, self.docker) as tried:
            self._run(client, tried, name)
            document = self.docker.inspect(tried.tags[0])[tried.tags[0]]
            _check_platform(plan, document)
            self._check_budget(plan.tags[0], plan.budget, document)
        facts = self._facts_of(document)
        return BuiltImage(
            name=name,
            tags=plan.tags,
            id=document["Id"],
            size=document["Size"],
            seconds=time.monotonic() - started,
            fresh=True,
            budget=plan.budget,
            client=client.kind,
            layers=facts.layers,
            change=reports.compare(before, facts) if before else None,
        )

    def client(self) -> Client:
        """What can build here. BuildError where nothing can."""
        if self._client is None:
            self._client = choose(self.docker.candidates, self.docker.programs.ask)
        return self._client

    def facts(self, image: str) -> reports.Facts | None:
        """An image's layers and what made each; None where there is no such image."""
        found = self.docker.inspect(image)
        return self._facts_of(found[image]) if image in found else None

    def _facts_of(self, document: Mapping[str, Any]) -> reports.Facts:
        return reports.facts(document, self.docker.history(document["Id"]))

    def revision(self) -> str:
        """The commit that the files are of, `-dirty` where they differ; nothing outside git."""
        return self._git("describe", "--always", "--dirty", "--abbrev=40", "--exclude", "*")

    def source(self) -> str:
        """The repository's public address, where it has one."""
        return plans.source_url(self._git("config", "--get", "remote.origin.url"))

    def epoch(self, inputs: Iterable[str] = (".",)) -> int | None:
        """When these files were last committed: an image of the same files has the same digest,
        whatever was committed since to others. SOURCE_DATE_EPOCH beats it; None outside git."""
        asked = self._environ.get("SOURCE_DATE_EPOCH", "")
        text = asked or self._git("log", "-1", "--format=%ct", "--", *inputs)
        if asked and not asked.isdecimal():
            raise UsageError(f"SOURCE_DATE_EPOCH is {asked!r}: expected seconds since 1970.")
        return int(text) if text else None

    def _git(self, *arguments: str) -> str:
        """What git says of the files; of an installed wheel's nothing: a repository that it lies
        in is somebody else's."""
        return "" if is_shipped(self._root) else self.docker.programs.git(self._root, *arguments)

    def _run(self, client: Client, plan: plans.BuildPlan, name: str) -> None:
        output: list[str] = []

        def line(text: str) -> None:
            output.append(text)
            if not _NOISE.match(text):
                self._report(text)

        with _secret_files(plan.secrets) as files:
            arguments = command(client, plan, files)
            code = self.docker.programs.followed(arguments, client.variables, line)
        if code:
            raise _failure(name, plan, output)

    def _check_budget(self, tag: str, budget: int | None, document: Mapping[str, Any]) -> None:
        if budget is None or document["Size"] <= budget:
            return
        with self.docker.files(document["Id"]) as files:
            heavy = reports.weights(files)[:_HEAVY]
        listed = "\n".join(f"  {reports.megabytes(w.size):>9}  {w.what}" for w in heavy)
        over = document["Size"] - budget
        raise BuildError(
            f"{tag} has {reports.megabytes(document['Size'])} unpacked, "
            f"{reports.megabytes(over)} more than its budget of {reports.megabytes(budget)}; "
            f"its tags name what they did before. What weighs most:\n{listed}",
            hint="Leave out what the image does not need, or give it more: --budget, or `budget` "
            "in the configuration.",
        )


def _current(
    tagged: Sequence[Mapping[str, Any] | None], made_from: str
) -> Mapping[str, Any] | None:
    """The image as it is, if all its tags name one that was made from the same inputs."""
    first = tagged[0]
    if first is None or any(one is None or one["Id"] != first["Id"] for one in tagged):
        return None
    labels = first["Config"].get("Labels") or {}
    return first if labels.get(plans.INPUTS_LABEL) == made_from else None


def _marks(wishes: plans.Wishes) -> list[str]:
    """What else an image of ours is made from, and so must be in its digest."""
    return [wishes.platform, *(f"{k}={v}" for k, v in sorted(wishes.build_args.items()))]


def _check_client(
    client: Client, plan: plans.BuildPlan, report: Report, docker: DockerProgram
) -> None:
    for secret in plan.secrets:
        _check_readable(secret)
    if plan.contexts and client.kind != BUILDX:
        raise BuildError(
            f"Further build contexts ({', '.join(plan.contexts)}) need buildx; here is "
            f"{client.command[0]} with its {client.kind}.",
            hint=INSTALL_HINT,
        )
    if client.kind == CLASSIC:
        _check_classic(client, plan, report, docker)


def _check_classic(
    client: Client, plan: plans.BuildPlan, report: Report, docker: DockerProgram
) -> None:
    needs = buildkit_features(plan.dockerfile.read_text(encoding="utf-8"))
    if needs:
        raise BuildError(
            f"{plan.dockerfile} needs BuildKit ({', '.join(dict.fromkeys(needs))}), and "
            f"{client.command[0]} can't use BuildKit: it has only the classic builder.",
            hint=INSTALL_HINT,
        )
    machine = {secret.id for secret in plans.secrets(docker.programs.variables)}
    asked = [secret.id for secret in plan.secrets if secret.id not in machine]
    if asked:
        raise BuildError(
            f"The secrets {', '.join(asked)} can't reach a build of the classic builder, which is "
            "all there is here.",
            hint=INSTALL_HINT,
        )
    here = f"linux/{docker.architecture()}"
    if plan.platform and plan.platform != here:
        raise BuildError(
            f"The classic builder makes images for {here} only, not for {plan.platform}.",
            hint=INSTALL_HINT,
        )
    lost = f"; not passed on: {', '.join(sorted(machine))}" if machine else ""
    report(
        f"warning: no BuildKit here: {client.command[0]} builds with its classic builder, which "
        f"knows no secrets, cache mounts or reproducible times{lost}"
    )


@contextlib.contextmanager
def _tag_to_try(plan: plans.BuildPlan, docker: DockerProgram) -> Iterator[plans.BuildPlan]:
    """The plan with a tag of its own, where the image must prove itself first; its own tags are
    set at the end, if nothing was raised."""
    if plan.budget is None and plan.platform is None:
        yield plan
        return
    name = plan.tags[0].rpartition(":")[0] or plan.tags[0]
    tried = f"{name}:sagedock-build-{random.token_hex(6)}"
    try:
        yield replace(plan, tags=(tried,))
        for tag in plan.tags:
            docker.tag(tried, tag)
    finally:
        docker.remove(tried)


def _check_platform(plan: plans.BuildPlan, document: Mapping[str, Any]) -> None:
    found = f"linux/{document.get('Architecture', '')}"
    if plan.platform and found != plan.platform:
        raise BuildError(
            f"{plan.tags[0]} was asked for {plan.platform}, but what was built is for {found}: the "
            "builder took a base image of the machine's own architecture.",
            hint=f"docker pull --platform {plan.platform} BASE, then build again.",
        )


def _check_readable(secret: plans.Secret) -> None:
    if not secret.path or Path(secret.path).is_file():
        return
    if secret.id == "ca_bundle":
        raise BuildError(
            f"The certificate bundle {secret.path} does not exist.",
            hint="It is named by SAGEDOCK_CA_BUNDLE, SSL_CERT_FILE or REQUESTS_CA_BUNDLE: "
            "correct the variable or unset it.",
        )
    raise BuildError(f"The file {secret.path} of the secret {secret.id} does not exist.")


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


def _failure(name: str, plan: plans.BuildPlan, output: Sequence[str]) -> BuildError:
    lines = [line for line in output if not _NOISE.match(line)]
    told = [match["words"] for line in lines if (match := _TOLD.match(line))]
    if told:  # a step of ours that says itself what is wrong
        what, _, hint = told[0].partition(" | ")
        return BuildError(f"{plan.tags[0]} could not be built: {what}", hint=hint)
    steps = [match["step"] for line in lines if (match := _FAILED_STEP.match(line))]
    where = f" at the step {steps[-1]}" if steps else ""
    tail = "\n".join(f"  {line}" for line in lines[-_TAIL:])
    title = plans.repository(name) if name in plans.IMAGES else name
    return BuildError(
        f"The image {title} could not be built{where}. Its last lines:\n{tail}",
        hint=_hint(plan, lines),
    )


def _hint(plan: plans.BuildPlan, lines: Sequence[str]) -> str:
    if any(_FOREIGN.search(line) for line in lines):
        return (
            f"This engine can't run programs for {plan.platform}: install QEMU's handlers there "
            "(Debian: qemu-user-static and binfmt-support), or build on such a machine."
        )
    if plan.platform not in {None, plans.PLATFORM} and any(_NO_BASE.search(line) for line in lines):
        return (
            f"The base image is needed for {plan.platform}, and this engine has it for another "
            f"platform or not at all: docker pull --platform {plan.platform} BASE"
        )
    missing = [match["base"] for line in lines if (match := _MISSING.match(line))]
    if missing:
        base = missing[0].removeprefix("docker.io/library/").removeprefix("docker.io/")
        return (
            f"The base image {base} is not on this machine and can't be pulled. Is that its name "
            f"(docker images)? Else: docker pull {base}"
        )
    return (
        "If a download failed: HTTPS_PROXY, PIP_INDEX_URL and SAGEDOCK_CA_BUNDLE reach the "
        "build. `docker system df` shows whether the engine's disk is full."
    )
