"""What to build, as data: the catalogue of images, and one build as a frozen plan.

Pure: no files, no engine, no environment but the mapping passed in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sagedock.errors import BuildError

OS_IMAGE = "debian:bookworm-slim"
PLATFORM = "linux/amd64"
"""What SageMaker's hosts are, whatever this machine is; linux/arm64 is for Graviton."""
INPUTS_LABEL = "sagedock-inputs"
"""Image label: digest of everything the image was made from; equal means up to date."""

_OCI = "org.opencontainers.image"
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
_CA_BUNDLES = ("SAGEDOCK_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


@dataclass(frozen=True, kw_only=True)
class ImageSpec:
    """One image of the project. `inputs` are files and folders below the repository's root."""

    name: str
    title: str
    parent: str | None
    inputs: tuple[str, ...]
    budget: int | None = None
    """Bytes, unpacked, all layers."""


@dataclass(frozen=True, kw_only=True)
class Secret:
    """A BuildKit secret: a file of this machine, or a value (an address may hold a password)."""

    id: str
    path: str = ""
    value: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True)
class BuildPlan:
    """One build. `forwarded` names variables whose values the builder takes from its caller's
    environment, so that a proxy's password stands in no command line. `contexts` are further ones,
    by name; `budget` is in bytes, unpacked; `epoch` (seconds) is the latest time a file may have,
    where the builder can see to it."""

    context: Path
    dockerfile: Path
    tags: tuple[str, ...]
    build_args: Mapping[str, str]
    forwarded: tuple[str, ...]
    secrets: tuple[Secret, ...]
    labels: Mapping[str, str]
    platform: str | None = None
    target: str | None = None
    contexts: Mapping[str, str] = field(default_factory=dict)
    no_cache: bool = False
    budget: int | None = None
    epoch: int | None = None


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What a caller asks of a build besides what is built. `tags` take the place of the default
    ones; `context`, `file` and `target` are for folders only; `budget` in bytes, unpacked."""

    tags: tuple[str, ...] = ()
    platform: str = PLATFORM
    build_args: Mapping[str, str] = field(default_factory=dict)
    context: Path | None = None
    contexts: Mapping[str, str] = field(default_factory=dict)
    file: Path | None = None
    target: str | None = None
    no_cache: bool = False
    secrets: tuple[Secret, ...] = ()
    budget: int | None = None


_TOOLS = "containers/tools"
_IN_IMAGE = tuple(f"src/sagedock/{p}" for p in ("__init__.py", "errors.py", "contract", "runtime"))

IMAGES: Mapping[str, ImageSpec] = {
    spec.name: spec
    for spec in (
        ImageSpec(
            name="base",
            title="sagedock base: Python, numpy, scipy, scikit-learn, XGBoost",
            parent=None,
            inputs=(_TOOLS, "containers/base"),
        ),
        ImageSpec(
            name="pandas",
            title="sagedock base with pandas, the layer training and processing share",
            parent="base",
            inputs=(_TOOLS, "containers/pandas"),
        ),
        ImageSpec(
            name="training",
            title="sagedock training: script mode and XGBoost algorithm mode",
            parent="pandas",
            inputs=(_TOOLS, "containers/training", *_IN_IMAGE),
            budget=450_000_000,
        ),
        ImageSpec(
            name="processing",
            title="sagedock processing: runs any script for ScriptProcessor",
            parent="pandas",
            inputs=("containers/processing",),
            budget=400_000_000,
        ),
        ImageSpec(
            name="serving",
            title="sagedock serving: answers /ping and /invocations for a model",
            parent="base",
            inputs=(_TOOLS, "containers/serving", *_IN_IMAGE),
            budget=300_000_000,
        ),
    )
}


def names_in_order(names: Iterable[str]) -> tuple[str, ...]:
    """The named images and all they stand on, each after its parent."""
    ordered: dict[str, None] = {}
    for name in names:
        for ancestor in reversed(_line(name)):
            ordered.setdefault(ancestor)
    return tuple(ordered)


def _line(name: str) -> list[str]:
    line = []
    current: str | None = name
    while current is not None:
        if current not in IMAGES:
            raise BuildError(
                f"There is no image {current!r} to build.", hint=f"Images: {', '.join(IMAGES)}."
            )
        line.append(current)
        current = IMAGES[current].parent
    return line


def repository(name: str) -> str:
    """`training` -> `sagedock/training`."""
    return f"sagedock/{name}"


def tags(name: str, version: str) -> tuple[str, str]:
    """The two tags of an image: its version first, then `latest`."""
    return f"{repository(name)}:{version}", f"{repository(name)}:latest"


def all_tags(spec: ImageSpec, version: str, wishes: Wishes) -> tuple[str, ...]:
    """The image's own tags, and those that were asked for besides."""
    return (*tags(spec.name, version), *wishes.tags)


def parent_tag(spec: ImageSpec, version: str) -> str:
    """What the image's Dockerfile starts FROM."""
    return OS_IMAGE if spec.parent is None else tags(spec.parent, version)[0]


def make_plan(
    spec: ImageSpec,
    *,
    root: Path,
    version: str,
    digest: str,
    environ: Mapping[str, str],
    revision: str = "",
    source: str = "",
    wishes: Wishes | None = None,
    epoch: int | None = None,
) -> BuildPlan:
    """The build of one image. `digest` is what `source.digest` says it is made from."""
    argument = "OS_IMAGE" if spec.parent is None else "PARENT"
    asked = wishes or Wishes()
    return BuildPlan(
        context=root,
        dockerfile=root / "containers" / spec.name / "Dockerfile",
        tags=all_tags(spec, version, asked),
        build_args={**asked.build_args, argument: parent_tag(spec, version)},
        forwarded=proxy_names(environ),
        secrets=joined(secrets(environ), asked.secrets),
        labels=_labels(spec, version=version, digest=digest, revision=revision, source=source),
        platform=asked.platform,
        no_cache=asked.no_cache,
        budget=asked.budget or spec.budget,
        epoch=epoch,
    )


def joined(first: Iterable[Secret], then: Iterable[Secret]) -> tuple[Secret, ...]:
    """Both; of two with one id, the later one: what was asked for beats what is there anyway."""
    return tuple({secret.id: secret for secret in (*first, *then)}.values())


def _labels(
    spec: ImageSpec, *, version: str, digest: str, revision: str, source: str
) -> dict[str, str]:
    # An image inherits its parent's labels: what is not known is set to nothing, not left out.
    return {
        f"{_OCI}.title": spec.title,
        f"{_OCI}.version": version,
        f"{_OCI}.licenses": "Apache-2.0",
        f"{_OCI}.revision": revision,
        f"{_OCI}.source": source,
        INPUTS_LABEL: digest,
    }


def proxy_names(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Docker's predefined proxy arguments that are set here: in no layer and no history."""
    known = [*_PROXIES, *(name.lower() for name in _PROXIES)]
    return tuple(name for name in known if environ.get(name))


def secrets(environ: Mapping[str, str]) -> tuple[Secret, ...]:
    """This machine's certificate bundle and index address, where they are set."""
    found = []
    bundle = next((environ[name] for name in _CA_BUNDLES if environ.get(name)), "")
    if bundle:
        found.append(Secret(id="ca_bundle", path=bundle))
    if environ.get("PIP_INDEX_URL"):
        found.append(Secret(id="pip_index", value=environ["PIP_INDEX_URL"]))
    return tuple(found)


_SSH_REMOTE = re.compile(r"(?:ssh://)?git@(?P<host>[\w.-]+)[:/](?P<path>[\w./~-]+)")
_WEB_REMOTE = re.compile(r"https://(?:[^@/]*@)?(?P<host>[\w.-]+(?::\d+)?)/(?P<path>[\w./~-]+)")


def source_url(remote: str) -> str:
    """A git remote as a public address without credentials; nothing for a path on this machine."""
    match = _SSH_REMOTE.fullmatch(remote) or _WEB_REMOTE.fullmatch(remote)
    return f"https://{match['host']}/{match['path'].removesuffix('.git')}" if match else ""
