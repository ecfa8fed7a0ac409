"""What an image is called where it goes to. Pure.

Source: ECR's API reference (repository names), I1, I7.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from sagedock.errors import UsageError

_REPOSITORY = re.compile(r"(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_OCI = "org.opencontainers.image"
_SHORT = 12


def repository_of(image: str) -> str:
    """The repository's name for a local image: its own, without registry, tag and digest. Raises
    UsageError for what ECR takes no repository by."""
    name = image.partition("@")[0]
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        name = rest
    name = name.rpartition(":")[0] if ":" in name else name
    check_repository(name)
    return name


def check_repository(name: str) -> None:
    """Raise UsageError unless ECR would take `name`."""
    if not _REPOSITORY.fullmatch(name) or not 2 <= len(name) <= 256:
        raise UsageError(
            f"{name!r} can't be a repository of ECR: expected 2 to 256 lower-case letters, digits, "
            "'.', '_', '-' and '/' between them."
        )


def default_tag(labels: Mapping[str, str], image_id: str) -> str:
    """Version and commit that the image says it is of; its own id where it says neither. An image
    that was built from files which are in no commit says so."""
    version = labels.get(f"{_OCI}.version", "")
    revision, dirty = _revision(labels.get(f"{_OCI}.revision", ""))
    parts = [part for part in (version, revision) if part]
    if not parts:
        return image_id.removeprefix("sha256:")[:_SHORT]
    found = "-".join(parts) + ("-dirty" if dirty else "")
    return re.sub(r"[^A-Za-z0-9_.-]", "-", found)[:128]


def _revision(text: str) -> tuple[str, bool]:
    clean = text.removesuffix("-dirty")
    return clean[:_SHORT], clean != text


def check_tag(tag: str, *, immutable: bool) -> None:
    """Raise UsageError for a tag that no registry takes, and for `latest` where tags stay as they
    are: the second push of it would fail."""
    if not _TAG.fullmatch(tag):
        raise UsageError(
            f"{tag!r} can't be a tag: expected at most 128 letters, digits, '_', '.' and '-'."
        )
    if immutable and tag == "latest":
        raise UsageError(
            "The tag 'latest' does not go into a repository whose tags are immutable.",
            hint="Leave it out: the default is version and commit. Or ask for --mutable-tags.",
        )
