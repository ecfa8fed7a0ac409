"""Hashed locks: `requirements.in` to `requirements.lock`, and whether a lock still fits.

A lock says in its first lines what it was made from: a digest of the requirements, the Python, the
platforms. `check` compares that and needs nothing but the two files; `make` asks uv.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from sagedock.errors import BuildError
from sagedock.images.program import Programs

PYTHON = "3.11"
_TRIPLES = {"linux/amd64": "x86_64-manylinux_2_28", "linux/arm64": "aarch64-manylinux_2_28"}
PLATFORMS = tuple(_TRIPLES)
_HEADER = re.compile(
    r"# Made by `sagedock lock` from (?P<source>\S+) for Python (?P<python>\S+)\n"
    r"# on (?P<platforms>\S+(?:, \S+)*)(?:; from source: (?P<sdists>\S+(?:, \S+)*))?\n"
    r"# inputs sha256:(?P<digest>[0-9a-f]{64})\n"
)
_INCLUDE = re.compile(r"(?:-r|-c|--requirement|--constraint)[\s=]+(?P<file>\S+)")
_SKIPPED = frozenset({"node_modules", "site-packages", "__pycache__"})
_DEPTH = 4
_UV_HINT = (
    "pip install uv, or as https://docs.astral.sh/uv says; it is needed to lock, not to build."
)


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a lock is for. `sdists` are packages that may come as source: all others are wheels."""

    python: str = PYTHON
    platforms: tuple[str, ...] = (PLATFORMS[0],)
    sdists: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Locked:
    """A lock as it is now: how many packages, and whether the file has changed."""

    file: Path
    packages: int
    changed: bool


def pairs(folder: Path) -> list[tuple[Path, Path]]:
    """Every `NAME.in` that names requirements, with its lock `NAME.lock` (there or not)."""
    found = sorted(path for path in _files(folder, _DEPTH) if _is_requirements(path))
    return [(path, path.with_suffix(".lock")) for path in found]


def _files(folder: Path, depth: int) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            if depth and path.name not in _SKIPPED and not path.name.startswith("."):
                yield from _files(path, depth - 1)
        elif path.suffix == ".in":
            yield path


def _is_requirements(path: Path) -> bool:
    return "requirements" in path.name


def target_of(lock: str) -> Target | None:
    """What a lock's text says it is for; None for one that was not made here."""
    match = _HEADER.match(lock)
    if match is None:
        return None
    return Target(
        python=match["python"],
        platforms=tuple(match["platforms"].split(", ")),
        sdists=tuple(match["sdists"].split(", ")) if match["sdists"] else (),
    )


def header(source: str, target: Target, digest: str) -> str:
    """The lines a lock begins with."""
    sdists = f"; from source: {', '.join(target.sdists)}" if target.sdists else ""
    return (
        f"# Made by `sagedock lock` from {source} for Python {target.python}\n"
        f"# on {', '.join(target.platforms)}{sdists}\n"
        f"# inputs sha256:{digest}\n"
    )


def is_stale(lock: str, digest: str) -> bool:
    """Whether the text of a lock was made from other requirements than those of this digest."""
    match = _HEADER.match(lock)
    return match is not None and match["digest"] != digest


def inputs_digest(source: Path) -> str:
    """SHA-256 over what the requirements say, and the files they refer to; comments, blank lines
    and the order of lines make no difference. BuildError for a file that is missing."""
    total = hashlib.sha256()
    for line in sorted(_statements(source, frozenset())):
        total.update(f"{line}\n".encode())
    return total.hexdigest()


def _statements(source: Path, seen: frozenset[Path]) -> Iterator[str]:
    for line in _read(source).replace("\\\n", " ").splitlines():
        text = " ".join(re.sub(r"(^|\s)#.*", "", line).split())
        include = _INCLUDE.match(text)
        if include is None:
            if text:
                yield text
            continue
        other = (source.parent / include["file"]).resolve()
        if other not in seen:
            yield from (f"{text.split()[0]} {line}" for line in _statements(other, seen | {other}))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise BuildError(f"{path} can't be read: {error.strerror}.") from error


def check(folder: Path) -> None:
    """BuildError for a lock in or below `folder` that is stale; those that other tools have made
    say nothing of it and are left alone."""
    for source, lock in pairs(folder):
        if lock.is_file() and is_stale(_read(lock), inputs_digest(source)):
            raise BuildError(
                f"{lock} is stale: {source.name} says something else than when it was locked.",
                hint=f"sagedock lock {folder}",
            )


def make(
    source: Path,
    *,
    environ: Mapping[str, str],
    target: Target | None = None,
    upgrade: bool = False,
) -> Locked:
    """Lock one file. Without `target` it stays what the lock is for; versions stay, too, unless
    `upgrade`. Raises BuildError with uv's words, and where platforms would get other versions."""
    lock = source.with_suffix(".lock")
    old = _read(lock) if lock.is_file() else ""
    wanted = target or target_of(old) or Target()
    uv = find_uv(environ)
    first, *others = (_compiled(uv, source, wanted, p, old, environ, upgrade)
                      for p in wanted.platforms)  # fmt: skip
    for platform, other in zip(wanted.platforms[1:], others, strict=True):
        if other != first:
            names = ", ".join(_differing(first, other))
            raise BuildError(
                f"{source}: {platform} would get something else than {wanted.platforms[0]}: "
                f"{names}.",
                hint="Say in it what fits both, or lock for one: --platform.",
            )
    text = header(source.name, wanted, inputs_digest(source)) + first
    if text != old:
        temporary = lock.with_name(f"{lock.name}.new")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(lock)
    return Locked(file=lock, packages=len(_packages(first)), changed=text != old)


def find_uv(environ: Mapping[str, str]) -> str:
    """uv, on PATH or beside this Python. BuildError where it is not."""
    beside = str(Path(sys.executable).parent)
    path = os.pathsep.join(filter(None, (environ.get("PATH", ""), beside)))
    found = shutil.which("uv", path=path)
    if found is None:
        raise BuildError("Requirements are locked by uv, which is not here.", hint=_UV_HINT)
    return found


def _compiled(
    uv: str, source: Path, target: Target, platform: str, old: str,
    environ: Mapping[str, str], upgrade: bool,
) -> str:  # fmt: skip
    with TemporaryDirectory(prefix="sagedock-lock-") as folder:
        output = Path(folder) / "lock"
        output.write_text(old, encoding="utf-8")  # what is locked stays
        done = Programs(environ).captured(
            [
                uv, "pip", "compile", "--quiet", "--no-config", "--no-header",
                "--no-emit-index-url", "--generate-hashes", "--only-binary", ":all:",
                *(word for name in target.sdists for word in ("--no-binary", name)),
                "--python", sys.executable, "--python-version", target.python,
                "--python-platform", _TRIPLES[platform],
                *(["--upgrade"] if upgrade else []), "--output-file", str(output), source.name,
            ],
            _index(environ),
            folder=source.parent,
        )  # fmt: skip
        if done.returncode:
            raise BuildError(
                f"{source} can't be locked for Python {target.python} on {platform}:\n"
                f"{_without_credentials(done.stderr.strip())}",
                hint="A package that only comes as source: --from-source NAME.",
            )
        return output.read_text(encoding="utf-8")


def _without_credentials(text: str) -> str:
    return re.sub(r"(https?://)[^/\s@]+@", r"\1", text)


def _index(environ: Mapping[str, str]) -> dict[str, str]:
    """uv asks the index that pip would ask; its address stands on no command line."""
    known = environ.get("UV_DEFAULT_INDEX") or environ.get("UV_INDEX_URL")
    address = environ.get("PIP_INDEX_URL")
    variables = {"UV_DEFAULT_INDEX": address} if address and not known else {}
    bundle = environ.get("SAGEDOCK_CA_BUNDLE") or environ.get("REQUESTS_CA_BUNDLE")
    if bundle and not environ.get("SSL_CERT_FILE"):
        variables["SSL_CERT_FILE"] = bundle
    return variables


def _packages(lock: str) -> dict[str, str]:
    return dict(re.findall(r"^([A-Za-z0-9._-]+)(?:\[\S*\])?==(\S+)", lock, re.MULTILINE))


def _differing(one: str, other: str) -> list[str]:
    first, second = _packages(one), _packages(other)
    names = sorted(name for name in {*first, *second} if first.get(name) != second.get(name))
    return names or ["hashes or the reasons given"]
