"""What is known to go wrong with images on SageMaker: rules from facts to findings. Pure.

Row ids are of the container contract. An error is what would fail, or harm, for certain: such an
image is not pushed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from sagedock.contract.paths import ML
from sagedock.engine.docker import ImageInfo
from sagedock.images.push_layers import Entry, Layer, merged, resolve
from sagedock.images.push_secrets import (
    KEPT_BYTES,
    in_environment,
    in_files,
    in_history,
    is_suspect,
)

PROGRAMS = ("train", "serve")
PORT = "8080/tcp"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_MULTI_MODEL = "com.amazonaws.sagemaker.capabilities.multi-models"
_BIND = "com.amazonaws.sagemaker.capabilities.accept-bind-to-port"
_GIGA = 1 << 30
_SERVERLESS = 10 * _GIGA
_LAYER = 52_000 << 20
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh"})
_INITS = frozenset({"tini", "tini-static", "dumb-init", "docker-init"})
_ROOT_USERS = frozenset({"", "root", "0", "0:0", "root:root", "root:0", "0:root"})
_DRIVER = re.compile(r"(?:libcuda\.so(?:\.\d+)*|nvidia-smi|nvidia[^/]*\.ko)")
_DRIVER_CUDA = (12, 2)
"""What the driver of hosting's default machines goes up to (D1.7)."""


class Level(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is worth knowing. `rows` of the contract, comma between them."""

    rows: str
    level: Level
    text: str

    def __str__(self) -> str:
        return f"{self.level}: {self.text} ({self.rows})"


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that is known of an image; `history` are its steps, `layers` the lowest first."""

    image: ImageInfo
    history: Sequence[str] = ()
    layers: Sequence[Layer] = ()
    tree: Mapping[str, Entry] = field(default_factory=dict)

    @classmethod
    def of(cls, image: ImageInfo, history: Sequence[str], layers: Sequence[Layer]) -> Facts:
        """With what a container of it sees."""
        return cls(image=image, history=history, layers=layers, tree=merged(layers))


def wanted(path: str) -> int:
    """How many bytes of a file the rules look at."""
    if path.rpartition("/")[2] in PROGRAMS:
        return 256
    return KEPT_BYTES if is_suspect(path) else 0


def capabilities(facts: Facts) -> dict[str, str]:
    """What SageMaker can start, `train` or `serve`, and how it is found; and what labels say."""
    found = {}
    for program in PROGRAMS:
        place = _started(facts, program)
        if place:
            found[program] = place
    for label, name in ((_MULTI_MODEL, "multi-models"), (_BIND, "accept-bind-to-port")):
        if facts.image.labels.get(label, "").lower() == "true":
            found[name] = "LABEL"
    return found


def _started(facts: Facts, program: str) -> str | None:
    if facts.image.entrypoint:
        return None if _is_shell_form(facts.image) else "ENTRYPOINT"
    found = _on_path(facts, program)
    return found[0] if found and found[1].is_executable else None


def _on_path(facts: Facts, program: str) -> tuple[str, Entry] | None:
    for folder in facts.image.environment.get("PATH", _PATH).split(":"):
        found = resolve(facts.tree, f"{folder}/{program}") if folder else None
        if found and found[1].is_file:
            return f"{folder.rstrip('/')}/{program}", found[1]
    return None


def _is_shell_form(image: ImageInfo) -> bool:
    start = image.entrypoint[:2]
    return len(start) == 2 and start[0].rpartition("/")[2] in _SHELLS and start[1] == "-c"


# the rules


def starting(facts: Facts) -> Iterator[Finding]:
    """A1.1, A1.2, A1.5, A1.6, D1.1, D1.2, D1.5."""
    entry = facts.image.entrypoint
    if entry and _is_shell_form(facts.image):
        yield _warning(
            "A1.1,A1.5,D1.2",
            "ENTRYPOINT is in shell form: neither `train`, `serve` nor signals reach the program; "
            'write it as a list, ENTRYPOINT ["python", "main.py"]',
        )
    elif entry and entry[0].rpartition("/")[2] in _SHELLS and len(entry) > 1:
        yield _note("A1.5,D1.2", "ENTRYPOINT is a shell script: it should end in `exec`")
    elif entry and entry[0].rpartition("/")[2] in _INITS and len(entry) == 1:
        yield _warning(
            "A1.6,D1.5",
            f"ENTRYPOINT is {entry[0]} alone, which takes `train` for its own argument; write "
            f'["{entry[0]}", "--", "program"]',
        )
    if entry or not facts.layers:
        return
    broken = [finding for program in PROGRAMS for finding in _broken(facts, program)]
    yield from broken
    able = capabilities(facts)
    if not broken and not any(program in able for program in PROGRAMS):
        yield _warning(
            "A1.1,D1.1",
            "there is neither an ENTRYPOINT nor an executable `train` or `serve` on PATH: only "
            "requests that say what to start (ContainerEntrypoint, processing) can use it",
        )


def _broken(facts: Facts, program: str) -> Iterator[Finding]:
    """A program that is meant to be started and can't be."""
    row = "A1.1" if program == "train" else "D1.1"
    found = _on_path(facts, program)
    if found is None:
        yield from _astray(facts, program, row)
        return
    place, entry = found
    if not entry.is_executable:
        yield _warning(row, f"{place} is not executable: RUN chmod +x {place}")
    first = entry.head.partition(b"\n")[0]
    if first.startswith(b"#!") and first.endswith(b"\r"):
        yield _error(row, f"{place} has the line ends of Windows: its interpreter is not found")
    elif first.startswith(b"#!"):
        words = first[2:].decode("utf-8", "replace").split()
        if words and words[0].startswith("/") and resolve(facts.tree, words[0]) is None:
            yield _error(row, f"{place} starts with #!{words[0]}, which is not in the image")


def _astray(facts: Facts, program: str, row: str) -> Iterator[Finding]:
    code = ML.root.strip("/")
    for path, entry in facts.tree.items():
        is_likely = path.startswith((code, "opt/program", "app", "program", "code"))
        if is_likely and path.endswith(f"/{program}") and entry.is_executable:
            yield _warning(row, f"/{path} is not on PATH: add its folder, or set an ENTRYPOINT")
            return


def platform(facts: Facts) -> Iterator[Finding]:
    """A1.10, D1.8."""
    if facts.image.architecture == "arm64":
        yield _warning(
            "A1.10,D1.8", "it is for arm64: it runs on Graviton hosts only, not in training jobs"
        )


def settings(facts: Facts) -> Iterator[Finding]:
    """D1.3, A1.7, A1.9, D2, D3.1."""
    image = facts.image
    if image.user not in _ROOT_USERS:
        yield _warning(
            "A1.9,D1.3", f"it runs as {image.user!r}: containers are expected to run as root"
        )
    for volume in image.volumes:
        if _is_at_or_below(volume, ML.root) or _is_at_or_below(ML.root, volume):
            yield _warning(
                "A1.7", f"VOLUME {volume} lies over what SageMaker puts there: leave it out"
            )
    able = capabilities(facts)
    others = [port for port in image.ports if port != PORT]
    if others and PORT not in image.ports and "serve" in able:
        yield _note("D3.1", f"it exposes {', '.join(others)}: SageMaker asks port 8080")
    if image.has_healthcheck:
        yield _note("D2.3", "HEALTHCHECK is not looked at: SageMaker asks GET /ping")
    has_python = any(_on_path(facts, name) for name in ("python", "python3"))
    if has_python and "PYTHONUNBUFFERED" not in image.environment:
        yield _note("A4.4", "without ENV PYTHONUNBUFFERED=1 a job's last lines may be lost")


def reserved(facts: Facts) -> Iterator[Finding]:
    """A1.7, B5.4."""
    files = [f"/{path}" for path, entry in facts.tree.items() if entry.is_file]
    below = [path for path in files if path.startswith(f"{ML.root}/")]
    code = [path for path in below if path.startswith(f"{ML.code}/")]
    other = [path for path in below if path not in set(code)]
    if other:
        yield _warning(
            "A1.7",
            f"{_lie(other)} below {ML.root} ({other[0]}): SageMaker's mounts may hide them",
        )
    if code:
        yield _note(
            "B5.4",
            f"{_lie(code)} in {ML.code}: sagemaker-training's own entry point runs that and not "
            "the code that a job brings; sagedock's `train` runs the job's",
        )


def _lie(files: Sequence[str]) -> str:
    return "1 file lies" if len(files) == 1 else f"{len(files)} files lie"


def sizes(facts: Facts) -> Iterator[Finding]:
    """D6.1, I5."""
    if facts.image.size > _SERVERLESS:
        yield _warning(
            "D6.1",
            f"it has {facts.image.size / _GIGA:.1f} GiB unpacked: serverless endpoints take 10, "
            "and every start of a host pulls it",
        )
    for number, layer in enumerate(facts.layers, 1):
        if layer.size > _LAYER:
            yield _error("I5", f"layer {number} has {layer.size >> 20} MiB: ECR takes 52,000")


def accelerators(facts: Facts) -> Iterator[Finding]:
    """A1.13, D1.7."""
    for path, entry in facts.tree.items():
        name = path.rpartition("/")[2]
        if _DRIVER.fullmatch(name) and entry.size and not re.search(r"/(stubs|compat)/", path):
            yield _warning(
                "A1.13", f"/{path} is part of NVIDIA's driver, which the host brings: leave it out"
            )
            break
    version = facts.image.environment.get("CUDA_VERSION", "")
    numbers = re.match(r"(\d+)\.(\d+)", version)
    if numbers and (int(numbers[1]), int(numbers[2])) > _DRIVER_CUDA:
        yield _note(
            "D1.7",
            f"it has CUDA {version}: hosts' default driver knows CUDA 12.2; see "
            "InferenceAmiVersion",
        )


def secrets(facts: Facts) -> Iterator[Finding]:
    """What is in an image is read by everybody who may pull it, also from a layer below."""
    rows = "secrets"
    places = {
        "ENV": in_environment(facts.image.environment),
        "the image's history": in_history(facts.history),
    }
    for where, texts in places.items():
        for text, certain in texts:
            found = f"{text} is in {where}: whoever may pull the image reads it"
            yield _error(rows, found) if certain else _warning(rows, found)
    for number, layer in enumerate(facts.layers, 1):
        for path, certain in in_files(layer.entries):
            gone = "" if path in facts.tree else f", taken away later but still in layer {number}"
            found = f"/{path} holds a secret{gone}: use `RUN --mount=type=secret` instead"
            yield _error(rows, found) if certain else _warning(rows, found)


def unread(facts: Facts) -> Iterator[Finding]:
    """A1.11."""
    count = sum(not layer.readable for layer in facts.layers)
    if count:
        yield _warning("A1.11", f"{count} layers are packed by zstd, and were not looked into")


RULES: tuple[Callable[[Facts], Iterator[Finding]], ...] = (
    platform, starting, settings, reserved, sizes, accelerators, secrets, unread,
)  # fmt: skip


def findings(facts: Facts) -> list[Finding]:
    """All that is worth knowing, errors first."""
    order = list(Level)
    found = [finding for rule in RULES for finding in rule(facts)]
    return sorted(dict.fromkeys(found), key=lambda finding: order.index(finding.level))


def _is_at_or_below(path: str, root: str) -> bool:
    return f"{path.rstrip('/')}/".startswith(f"{root}/")


def _error(rows: str, text: str) -> Finding:
    return Finding(rows=rows, level=Level.ERROR, text=text)


def _warning(rows: str, text: str) -> Finding:
    return Finding(rows=rows, level=Level.WARNING, text=text)


def _note(rows: str, text: str) -> Finding:
    return Finding(rows=rows, level=Level.NOTE, text=text)
