"""Where a push goes, from what was typed: a tag, a URI, options. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sagedock.errors import UsageError
from sagedock.images.naming import EcrHost, Target, is_host


@dataclass(frozen=True, kw_only=True)
class Where:
    """Where a push goes. `private` is the host of a registry that is not ECR; else it is ECR of
    `account` and `region` (None: the caller's own), called by `host` where one was named.
    `repository` and `tag` None follow from the image."""

    private: str | None = None
    host: EcrHost | None = None
    account: str | None = None
    region: str | None = None
    repository: str | None = None
    tag: str | None = None


def where(
    image: str,
    target: str | None = None,
    *,
    registry: str | None = None,
    repository: str | None = None,
    account: str | None = None,
    region: str | None = None,
) -> Where:
    """`target` is a tag or HOST/REPOSITORY[:TAG]; an image that has a name in ECR goes by it where
    nothing else is said. Raises UsageError for what contradicts itself."""
    if account and not re.fullmatch(r"[0-9]{12}", account):
        raise UsageError(f"{account!r} is no account: expected its 12 digits.")
    host, repository, tag = _named(image, target, registry, repository)
    if host is None:
        return Where(account=account, region=region, repository=repository, tag=tag)
    ecr = EcrHost.parse(host)
    if ecr is None:
        if account:
            raise UsageError(f"{host} is no registry of ECR: it has no accounts.")
        return Where(private=host, repository=repository, tag=tag)
    _agree("account", ecr, ecr.account, account)
    _agree("region", ecr, ecr.region, region)
    return Where(host=ecr, account=ecr.account, region=ecr.region, repository=repository, tag=tag)


def _named(
    image: str, target: str | None, registry: str | None, repository: str | None
) -> tuple[str | None, str | None, str | None]:
    """Host, repository and tag, each None where nothing says it."""
    if target and ("/" in target or "@" in target):
        if registry or repository:
            raise UsageError(f"{target} says all of it: leave --registry and --repository out.")
        found = Target.parse(target)
        return found.host, found.repository, found.tag
    if registry:
        host = registry.removeprefix("https://").rstrip("/")
        if not is_host(host) or "/" in host:
            raise UsageError(f"{registry!r} is no registry: expected HOST or HOST:PORT.")
        return host, repository, target
    own = image.partition("@")[0]
    if not repository and EcrHost.parse(own.partition("/")[0]):
        found = Target.parse(own)
        return found.host, found.repository, target or found.tag
    return None, repository, target


def _agree(what: str, host: EcrHost, said: str, option: str | None) -> None:
    if option and option != said:
        raise UsageError(
            f"{host.host} is of {what} {said}, not {option}.", hint=f"Leave --{what} out."
        )
