"""Which images of a repository may go: old ones that nothing in the account uses.

`plan` is pure; `plan_for` asks ECR and SageMaker first. What can't be asked stops it: an image in
use is never removed for want of an answer. Source: I6 (endpoints pull again when they grow).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sagedock.aws.account import Account
from sagedock.images import manifests
from sagedock.images.ecr import EcrRepository, StoredImage
from sagedock.images.naming import EcrHost
from sagedock.images.prune_users import Use, uses
from sagedock.images.push import UPLOAD


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Images to remove, oldest first; which stay only because they are used, and by what. `parts`
    are digests that an index lists which goes, too: it has to go before them."""

    removed: tuple[StoredImage, ...]
    used: Mapping[str, Sequence[str]]
    parts: frozenset[str] = frozenset()


def plan_for(place: EcrRepository, caller: Account, *, keep: int, spared: str | None) -> Plan:
    """What may go of `place`, besides the newest `keep` and `spared` (a digest). Raises
    AwsError."""
    images = place.images()
    found = uses(caller)
    children = {one.digest: _children(place, one) for one in images if _is_index(one)}
    return plan(images, found, uri=place.uri, keep=keep, spared=spared, children=children)


def plan(
    images: Iterable[StoredImage],
    found: Iterable[Use],
    *,
    uri: str,
    keep: int,
    spared: str | None = None,
    children: Mapping[str, Sequence[str]] | None = None,
) -> Plan:
    """What may go of `images`: beyond the newest `keep` that have a tag, what is neither used nor
    a part of what stays. Untagged images go whatever their age."""
    children = children or {}
    newest = sorted(images, key=lambda one: (one.pushed, one.digest), reverse=True)
    tagged = [one for one in newest if _real_tags(one)]
    users = _by_digest(newest, found, uri)
    staying = {one.digest for one in tagged[:keep]} | set(users) | {spared}
    for digest, listed in children.items():
        if digest in staying:
            staying |= set(listed)
    parts = {
        part for digest, listed in children.items() if digest not in staying for part in listed
    }
    removed = tuple(one for one in reversed(newest) if one.digest not in staying)
    kept_by_age = {one.digest for one in tagged[:keep]}
    used = {digest: names for digest, names in users.items() if digest not in kept_by_age}
    return Plan(removed=removed, used=used, parts=frozenset(parts))


def carry_out(place: EcrRepository, plan: Plan) -> dict[str, str]:
    """Remove what the plan says; digests that ECR would not let go, and its words. Raises
    AwsError."""
    digests = [one.digest for one in plan.removed]
    refused: dict[str, str] = {}
    for turn in (False, True):
        ids = [{"imageDigest": digest} for digest in digests if (digest in plan.parts) == turn]
        refused |= place.delete(ids)
    return refused


def _real_tags(image: StoredImage) -> list[str]:
    """Its tags, but those of uploads that were killed half way."""
    return [tag for tag in image.tags if not tag.startswith(UPLOAD)]


def _by_digest(
    images: Sequence[StoredImage], found: Iterable[Use], uri: str
) -> dict[str, list[str]]:
    """Who uses an image, by its digest. A reference names a digest, or a tag as it is today."""
    tags = {tag: one.digest for one in images for tag in one.tags}
    users: dict[str, list[str]] = {}
    for use in found:
        digest = _digest(use.image, uri, tags)
        if digest and use.user not in users.setdefault(digest, []):
            users[digest].append(use.user)
    return users


def _digest(reference: str, uri: str, tags: Mapping[str, str]) -> str | None:
    name, _, digest = reference.partition("@")
    head, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        head, tag = name, "latest"
    if not _same(head, uri):
        return None
    return digest or tags.get(tag)


def _same(name: str, uri: str) -> bool:
    """Whether two names without a tag are of one repository: hosts of FIPS and dual-stack
    endpoints are the same registry's."""
    (host, _, path), (other, _, its_path) = name.partition("/"), uri.partition("/")
    if path != its_path:
        return False
    one, two = EcrHost.parse(host), EcrHost.parse(other)
    if one and two:
        return (one.account, one.region) == (two.account, two.region)
    # A registry of this machine has no name in ECR: what has the same path is taken for it.
    return host == other or bool(one) != bool(two)


def _is_index(image: StoredImage) -> bool:
    return image.media_type in manifests.INDEXES


def _children(place: EcrRepository, index: StoredImage) -> list[str]:
    found = place.manifest(index.digest)
    return [item["digest"] for item in found.document["manifests"]] if found else []
