"""What an image is called where it goes to. Pure.

Source: ECR's API reference (repository names), I1, I7.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sagedock.errors import UsageError

_REPOSITORY = re.compile(r"(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_OCI = "org.opencontainers.image"
_SHORT = 12
_ECR = re.compile(
    r"(?P<account>\d{12})\.dkr[.-]ecr(?P<fips>-fips)?\.(?P<region>[a-z0-9-]+)\."
    r"(?P<domain>amazonaws\.com(?:\.cn)?|on\.aws|on\.amazonwebservices\.com\.cn)"
)
LIMIT = 255
"""Characters of an image's reference that SageMaker takes (A1.12, I1)."""


@dataclass(frozen=True, kw_only=True)
class EcrHost:
    """A host of ECR: whose registry, and where. `host` is how it was written: the plain one, or
    one of FIPS or dual-stack endpoints."""

    host: str
    account: str
    region: str

    @classmethod
    def parse(cls, host: str) -> EcrHost | None:
        """What a host says, None where it is none of ECR's. Raises UsageError for a region that
        its domain does not have (China's hosts end in .com.cn)."""
        found = _ECR.fullmatch(host)
        if not found:
            return None
        if found["domain"].endswith(".cn") != found["region"].startswith("cn-"):
            raise UsageError(
                f"{host} can't be a registry: {found['region']} is not of {found['domain']}.",
                hint="China's hosts end in .amazonaws.com.cn, all others in .amazonaws.com.",
            )
        return cls(host=host, account=found["account"], region=found["region"])


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where an image is to go, as a URI says it: HOST/REPOSITORY[:TAG]."""

    host: str
    repository: str
    tag: str | None

    @classmethod
    def parse(cls, uri: str) -> Target:
        """Raises UsageError for what is no URI of an image, or names one by its digest."""
        host, slash, rest = uri.removeprefix("https://").partition("/")
        if "@" in rest:
            raise UsageError(
                f"{uri!r} names an image by its digest: expected HOST/REPOSITORY[:TAG].",
                hint="The digest follows from what is pushed.",
            )
        name, _, tag = rest.partition(":")
        if not slash or not is_host(host) or not _REPOSITORY.fullmatch(name):
            raise UsageError(
                f"{uri!r} is no place for an image: expected HOST/REPOSITORY[:TAG].",
                hint="For example 123456789012.dkr.ecr.eu-west-1.amazonaws.com/churn:1.0",
            )
        return cls(host=host, repository=name, tag=tag or None)


def is_host(text: str) -> bool:
    """Whether the first part of an image's name is a registry's host, by Docker's own rule."""
    return "." in text or ":" in text or text == "localhost"


def check_reference(uri: str) -> None:
    """Raise UsageError for a reference that SageMaker's requests have no room for."""
    if len(uri) > LIMIT:
        raise UsageError(f"{uri} has {len(uri)} characters: SageMaker takes {LIMIT} (A1.12).")


def repository_of(image: str) -> str:
    """The repository's name for a local image: its own, without registry, tag and digest. Raises
    UsageError for what ECR takes no repository by."""
    name = image.partition("@")[0]
    first, slash, rest = name.partition("/")
    if slash and is_host(first):
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
