"""This machine's facts, judged. Pure: each rule gives findings of the facts it is given."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from sagedock.engine.facts import EngineFacts
from sagedock.project.doctor.facts import (
    Clients,
    Disk,
    Emulation,
    Images,
    Probe,
    Proxies,
    Trust,
    Versions,
)
from sagedock.project.doctor.findings import Finding, failure, ok, warning

GIB = 1 << 30
FULL, TIGHT = 2 * GIB, 10 * GIB
"""Free bytes: below the first a build fails, below the second a few more may."""
LITTLE_MEMORY = 2 * GIB
OLD_DAYS = 120
WHOLE_WORLD = 50
"""Certificates: a bundle of more has the world's roots, of which some have always expired."""
SKEW_WARNING, SKEW_FAILURE = 30.0, 300.0
"""Seconds: AWS refuses signatures that are 300 old."""
OLDEST_ENGINE = (20, 10)

DEFAULT_CAPABILITIES = {
    "CHOWN": 0, "DAC_OVERRIDE": 1, "FOWNER": 3, "FSETID": 4, "KILL": 5, "SETGID": 6, "SETUID": 7,
    "SETPCAP": 8, "NET_BIND_SERVICE": 10, "NET_RAW": 13, "SYS_CHROOT": 18, "MKNOD": 27,
    "AUDIT_WRITE": 29, "SETFCAP": 31,
}  # fmt: skip
"""What Docker gives a container by default, with Linux's numbers."""

_QEMU = {"linux/amd64": "qemu-x86_64", "linux/arm64": "qemu-aarch64"}
_MACHINES = {"x86_64": "linux/amd64", "amd64": "linux/amd64", "aarch64": "linux/arm64",
             "arm64": "linux/arm64"}  # fmt: skip


def engine(facts: EngineFacts) -> Iterator[Finding]:
    """Version, storage driver, memory, clock."""
    found = (
        f"Docker {facts.version} (API {facts.api_version}) on {facts.system}, "
        f"{facts.architecture}{', rootless' if facts.rootless else ''}"
    )
    number = tuple(int(part) for part in re.findall(r"\d+", facts.version)[:2])
    if number and number < OLDEST_ENGINE:
        yield warning("engine", found, "Docker from 20.10 on is what is tested: update it.")
    else:
        yield ok("engine", found)
    yield _driver(facts)
    yield _resources(facts)
    yield _engine_clock(facts)


def _driver(facts: EngineFacts) -> Finding:
    if facts.driver in {"vfs", "devicemapper", "aufs"}:
        why = "copies every layer whole" if facts.driver == "vfs" else "is no longer maintained"
        return warning(
            "storage driver",
            f"{facts.driver}, which {why}",
            'Set "storage-driver": "overlay2" in /etc/docker/daemon.json and restart the engine; '
            "images have to be built anew.",
        )
    return ok("storage driver", facts.driver)


def _resources(facts: EngineFacts) -> Finding:
    found = f"{facts.cpus} CPUs, {size(facts.memory)} for containers"
    if facts.memory < LITTLE_MEMORY:
        return warning(
            "memory", found, "Give the engine's machine 2 GB at least: training fails with less."
        )
    return ok("memory", found)


def _engine_clock(facts: EngineFacts) -> Finding:
    return _clock(
        "engine clock",
        facts.ahead,
        "the engine's",
        "Set its clock: a suspended virtual machine's stands still; restart the engine.",
    )


def _clock(check: str, ahead: float, whose: str, remedy: str) -> Finding:
    found = f"{whose} clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} ours"
    if abs(ahead) >= SKEW_FAILURE:
        return failure(check, found, remedy)
    if abs(ahead) >= SKEW_WARNING:
        return warning(check, found, remedy)
    return ok(check, f"{whose} clock is ours, to {abs(ahead):.1f} s")


def aws_clock(ahead: float) -> Finding:
    """Our clock against AWS's."""
    return _clock(
        "clock",
        ahead,
        "AWS's",
        "Set this machine's clock (timedatectl set-ntp true): AWS refuses signatures "
        "that are five minutes off.",
    )


def clients(facts: Clients) -> Iterator[Finding]:
    """What builds images."""
    if facts.problem:
        yield failure("docker client", facts.problem, facts.hint)
    elif facts.kind == "classic builder":
        yield warning(
            "docker client",
            f"{facts.builder} has only the classic builder",
            "Install the buildx plugin (docker-buildx-plugin, or docker-buildx): secrets, cache "
            "mounts and equal digests need it.",
        )
    elif facts.kind == "BuildKit":
        yield ok(
            "docker client",
            f"{facts.builder} builds with the BuildKit inside it; equal "
            "digests of equal commits need buildx",
        )
    else:
        yield ok("docker client", f"{facts.builder} builds with {facts.kind}")
    has = "there" if facts.compose else "not there: only the SDKs' own local mode needs it"
    yield ok("docker compose", has)


def disk(facts: Disk) -> Finding:
    """Space in one place."""
    check, found = f"disk: {facts.what}", f"{size(facts.free)} free at {facts.path}"
    if facts.free < FULL:
        return failure(check, found, _room(facts))
    return warning(check, found, _room(facts)) if facts.free < TIGHT else ok(check, found)


def _room(facts: Disk) -> str:
    if facts.what == "engine":
        return "Make room: docker image prune, docker builder prune; docker system df shows what."
    return "Make room, or name another folder: --data DIR, SAGEDOCK_DATA, `data` in sagedock.toml."


def images(facts: Images, now: datetime | None = None) -> Iterator[Finding]:
    """What images stand on, ours, and the project's own."""
    yield _os_image(facts, now or datetime.now(UTC))
    yield _ours(facts)
    if facts.project:
        yield _project(facts)


def _ours(facts: Images) -> Finding:
    check = "sagedock's images"
    missing = [name for name, ids in facts.ours.items() if ids[0] is None]
    other = [name for name, ids in facts.ours.items() if ids[0] and ids[1] != ids[0]]
    if missing:
        found = f"not there: {_tagged(missing, facts.version)}"
    elif other:
        found = f"`latest` is another than {_tagged(other, facts.version)}"
    elif facts.stale:
        found = f"made from other files than there are now: {', '.join(facts.stale)}"
    else:
        return ok(check, f"{len(facts.ours)} of version {facts.version}, up to date")
    return warning(check, found, "Build them: sagedock build")


def _tagged(names: Iterable[str], version: str) -> str:
    return ", ".join(f"{name}:{version}" for name in names)


def _os_image(facts: Images, now: datetime) -> Finding:
    check = "base image"
    if facts.os_id is None:
        return warning(
            check,
            f"{facts.os_image} is not there: our images are built on it",
            f"Run docker/ensure-base.sh, or: docker pull {facts.os_image}",
        )
    if facts.os_created is None:
        return ok(check, facts.os_image)
    days = (now - facts.os_created).days
    if days > OLD_DAYS:
        return warning(
            check,
            f"{facts.os_image} was made {days} days ago, and lacks later fixes",
            f"docker pull {facts.os_image} (or docker/ensure-base.sh), then: sagedock build",
        )
    return ok(check, f"{facts.os_image}, made {days} days ago")


def _project(facts: Images) -> Finding:
    missing = [name for name, identity in facts.project.items() if identity is None]
    if missing:
        return warning(
            "the project's images",
            f"not there: {', '.join(missing)}",
            f"Build them: sagedock build {' '.join(missing)}",
        )
    return ok("the project's images", ", ".join(facts.project))


def emulation(facts: Emulation) -> Finding:
    """Whether images of all platforms that are wanted can be built and run."""
    here = _MACHINES.get(facts.machine, facts.machine)
    others = sorted(facts.wanted - {here})
    if not others:
        return ok("emulation", f"{here}: all that images are built for")
    if facts.handlers is None:
        return warning(
            "emulation",
            f"it can't be seen from here whether programs for {', '.join(others)} run",
            f"Try: docker run --rm --platform {others[0]} debian:bookworm-slim true",
        )
    missing = [name for name in others if _QEMU.get(name) not in facts.handlers]
    if missing:
        return warning(
            "emulation",
            f"programs for {', '.join(missing)} do not run on {here}",
            "Register QEMU: docker run --privileged --rm tonistiigi/binfmt --install all, or the "
            "package qemu-user-static.",
        )
    return ok("emulation", f"{here}, and by emulation {', '.join(others)}")


def probe(facts: Probe) -> Iterator[Finding]:
    """What a container may do and reach."""
    if facts.image is None:
        yield warning(
            "container",
            "there is no image of ours to look from within one",
            "Build one: sagedock build",
        )
        return
    lacking = [
        name for name, number in DEFAULT_CAPABILITIES.items()
        if facts.capabilities is not None and not facts.capabilities >> number & 1
    ]  # fmt: skip
    if lacking:
        yield warning(
            "capabilities",
            f"containers lack {', '.join(lacking)}, which SageMaker's have",
            "Let the engine give its default capabilities: see how dockerd and "
            "its machine's own container are started.",
        )
    else:
        yield ok("capabilities", "a container has Docker's default ones")
    if facts.reached:
        yield ok("bridge", f"a container reaches this machine at {facts.address}")
    else:
        yield warning(
            "bridge",
            f"a container can't reach this machine at {facts.address}",
            "Let the firewall pass what comes from Docker's bridge (docker0); jobs that "
            "call AWS on this machine need it.",
        )


def trust(facts: Trust | None) -> Finding:
    """The certificates that builds and containers are given."""
    check = "certificates"
    if facts is None:
        return ok(check, "the system's own: no bundle is named")
    found = f"{facts.path} ({facts.variable})"
    if facts.problem:
        return failure(
            check,
            f"{found}: {facts.problem}",
            f"Name a bundle of PEM certificates, or unset {facts.variable}.",
        )
    if facts.expired and len(facts.expired) == facts.certificates:
        return failure(
            check,
            f"{found}: all {facts.certificates} have expired",
            "Get the bundle anew from whoever runs the proxy.",
        )
    if facts.expired and facts.certificates < WHOLE_WORLD:
        return warning(
            check,
            f"{found}: {len(facts.expired)} of {facts.certificates} have "
            f"expired: {'; '.join(facts.expired[:3])}",
            "Take them out, or get the bundle anew.",
        )
    return ok(check, f"{found}: {facts.certificates}, for builds and containers, too")


def proxies(facts: Proxies) -> Iterator[Finding]:
    """Proxies answer, and loopback goes past them."""
    if not facts.found:
        yield ok("proxy", "none")
        return
    for proxy in facts.found:
        if proxy.problem:
            yield failure(
                "proxy",
                f"{proxy.variable}={proxy.shown}: {proxy.problem}",
                f"Mend the address, or unset {proxy.variable}.",
            )
        else:
            yield ok("proxy", f"{proxy.variable}={proxy.shown} answers")
    past = {name.strip() for name in facts.no_proxy.split(",")}
    if not past & {"localhost", "127.0.0.1", "*"}:
        yield warning(
            "proxy",
            "calls to this machine go to the proxy, too",
            "Set NO_PROXY=localhost,127.0.0.1",
        )


def versions(facts: Versions, *, aws: bool) -> Finding:
    """Python, and what AWS is asked with."""
    found = ", ".join(
        [f"Python {facts.python}", *(f"{n} {v}" for n, v in facts.packages.items() if v)]
    )
    if facts.packages.get("boto3"):
        return ok("versions", found)
    remedy = "pip install 'sagedock[aws]'"
    words = f"{found}; boto3 is missing: nothing can be asked of AWS"
    return failure("versions", words, remedy) if aws else warning("versions", words, remedy)


def size(count: int) -> str:
    """Bytes for people."""
    return f"{count / 1e9:.1f} GB"
