"""ECR: repositories, tokens, manifests of the caller's account, or of another one that lets it.

With AWS_ENDPOINT_URL set (`sagedock run`, `sagedock env`) it asks this machine. Must not know
engines.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sagedock.aws.account import Account, told
from sagedock.errors import (
    AwsError,
    ResourceInUseError,
    ResourceNotFoundError,
    SagedockError,
    UsageError,
)
from sagedock.images import push_policies
from sagedock.images.manifests import ACCEPTED, DOCKER, Manifest
from sagedock.images.naming import EcrHost

_ROOT = "ROOT"
_BATCH = 100
_THROUGH_HINT = (
    "Does the upstream registry have it, does the rule's secret still hold, and may the caller "
    "ecr:BatchImportUpstreamImage and ecr:CreateRepository?"
)
_NOT_TOLD = ("AccessDenied", "UnknownOperation")
_UPSTREAM = ("UpstreamAccessDenied", "UpstreamTooManyRequests", "UpstreamUnavailable")


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What a repository is to be like where it has to be made. `encryption` is one of ECR's own:
    AES256, KMS, KMS_DSSE."""

    immutable: bool = True
    scan: bool = True
    encryption: str = "AES256"
    kms_key: str | None = None


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A pull-through cache rule: what lies below `prefix` comes from `upstream`."""

    prefix: str
    upstream: str

    def serves(self, repository: str) -> bool:
        """Whether the repository's name is the rule's."""
        return self.prefix == _ROOT or repository.startswith(f"{self.prefix.rstrip('/')}/")


@dataclass(frozen=True, kw_only=True)
class StoredImage:
    """An image as a repository has it; `size` in bytes, compressed."""

    digest: str
    tags: tuple[str, ...]
    pushed: datetime
    size: int
    media_type: str


class Ecr:
    """The registry of `owner` (12 digits; None: the caller's own) in the caller's region. `host`:
    the form of its address that images are to be called by. Raises AwsError with the service's own
    words."""

    def __init__(
        self, caller: Account, *, owner: str | None = None, host: EcrHost | None = None
    ) -> None:
        self.caller = caller
        self.region = caller.region
        self.account = owner or caller.number
        self._host = host
        self._client = caller.client("ecr")

    @property
    def is_foreign(self) -> bool:
        """Whether the registry is another account's."""
        return self.account != self.caller.number

    def find(self, name: str) -> EcrRepository | None:
        """The repository of that name, None where there is none."""
        with self._told(f"Repository {name}", name):
            try:
                found = self._client.describe_repositories(repositoryNames=[name], **self.where)
            except self._client.exceptions.RepositoryNotFoundException:
                return None
        return self._repository(found["repositories"][0], made=False)

    def get(self, name: str) -> EcrRepository:
        """The same. Raises ResourceNotFoundError where there is none."""
        found = self.find(name)
        if found is None:
            raise ResourceNotFoundError(
                f"The account {self.account} has no repository {name} in {self.region}.",
                hint="See them: aws ecr describe-repositories",
            )
        return found

    def ensure(self, name: str, wishes: Wishes, before: Callable[[], None]) -> EcrRepository:
        """The repository of that name, made as wished where there is none, after a call of
        `before`. One that is there is left as it is. Raises UsageError for a name that a
        pull-through rule serves, and
        ResourceNotFoundError where it would have to be made in another account."""
        rule = self.rule_of(name)
        if rule and rule.prefix != _ROOT:
            raise UsageError(
                f"The repository {name} is a cache of {rule.upstream} (pull-through rule "
                f"{rule.prefix!r}): what is pushed there may be overwritten from there.",
                hint="SageMaker pulls from it without a push: sagedock push --pull-through "
                f"{self.account}.dkr.ecr.{self.region}.{self.caller.domain}/{name}:TAG; or push "
                "to another name: --repository NAME",
            )
        found = self.find(name)
        if found:
            return found
        if self.is_foreign:
            raise ResourceNotFoundError(
                f"The account {self.account} has no repository {name} in {self.region}.",
                hint=self._cross_account(name, missing=True),
            )
        before()
        with self._told(f"Repository {name}", name):
            return self._make(name, wishes)

    def rule_of(self, name: str) -> Rule | None:
        """The pull-through rule that serves a repository of that name, if one does: the one with
        the longest prefix. Whoever may not see rules of another account sees none."""
        try:
            found = [rule for rule in self._rules() if rule.serves(name)]
        except AwsError as error:
            if self.is_foreign or any(word in error.message for word in _NOT_TOLD):
                return None  # pushing needs no such permission: what can't be seen stops nobody
            raise
        return max(found, key=lambda rule: (rule.prefix != _ROOT, len(rule.prefix)), default=None)

    def _rules(self) -> Iterator[Rule]:
        with self._told("Pull-through rules", ""):
            pages = self._client.get_paginator("describe_pull_through_cache_rules")
            for page in pages.paginate(**self.where):
                for rule in page["pullThroughCacheRules"]:
                    yield Rule(
                        prefix=rule["ecrRepositoryPrefix"], upstream=rule["upstreamRegistryUrl"]
                    )

    def pulled_through(self, name: str, reference: str) -> tuple[str, Manifest]:
        """The upstream and the manifest of an image that a pull-through rule serves: asking for it
        makes ECR fetch it. Raises UsageError where no rule does, ResourceNotFoundError, AwsError
        with ECR's word for why it can't."""
        rule = self.rule_of(name)
        if rule is None:
            raise UsageError(
                f"No pull-through rule of {self.account} in {self.region} serves {name}.",
                hint="See them: aws ecr describe-pull-through-cache-rules; or push the image.",
            )
        what = f"{name}:{reference} can't be pulled through from {rule.upstream}"
        with self._told(what, name):
            try:
                found = self._client.batch_get_image(
                    repositoryName=name,
                    imageIds=[_image_id(reference)],
                    acceptedMediaTypes=list(ACCEPTED),
                    **self.where,
                )
            except self._client.exceptions.RepositoryNotFoundException as error:
                raise ResourceNotFoundError(f"{what}: {error}", hint=_THROUGH_HINT) from error
        if found["images"]:
            return rule.upstream, _manifest(found["images"][0])
        failure = (found.get("failures") or [{}])[0]
        code, reason = failure.get("failureCode", ""), failure.get("failureReason", "")
        if code in _UPSTREAM:
            raise AwsError(f"{what}: {code}: {reason}", hint=_THROUGH_HINT)
        raise ResourceNotFoundError(f"{what}: {code}: {reason}", hint=_THROUGH_HINT)

    @property
    def where(self) -> dict[str, str]:
        """What requests say of the registry: nothing of the caller's own."""
        return {"registryId": self.account} if self.is_foreign else {}

    def token(self) -> dict[str, str]:
        """User and password for the registry, good for 12 hours (I4)."""
        ids = {"registryIds": [self.account]} if self.is_foreign else {}
        with self._told("A token for the registry", ""):
            data = self._client.get_authorization_token(**ids)["authorizationData"][0]
        user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
        return {"username": user, "password": password}

    def _make(self, name: str, wishes: Wishes) -> EcrRepository:
        encryption = {"encryptionType": wishes.encryption}
        if wishes.kms_key:
            encryption["kmsKey"] = wishes.kms_key
        try:
            made = self._client.create_repository(
                repositoryName=name,
                imageTagMutability="IMMUTABLE" if wishes.immutable else "MUTABLE",
                imageScanningConfiguration={"scanOnPush": wishes.scan},
                encryptionConfiguration=encryption,
            )
        except self._client.exceptions.RepositoryAlreadyExistsException:  # somebody was faster
            found = self.find(name)
            if found is None:
                raise
            return found
        self._client.put_lifecycle_policy(
            repositoryName=name, lifecyclePolicyText=json.dumps(push_policies.LIFECYCLE)
        )
        return self._repository(made["repository"], made=True)

    def _repository(self, found: Mapping[str, Any], *, made: bool) -> EcrRepository:
        host, _, path = found["repositoryUri"].partition("/")
        if self._host and EcrHost.parse(host):
            host = self._host.host
        return EcrRepository(
            self,
            name=found["repositoryName"],
            uri=f"{host}/{path}",
            immutable=found.get("imageTagMutability", "MUTABLE").startswith("IMMUTABLE"),
            made=made,
        )

    def _cross_account(self, name: str, *, missing: bool) -> str:
        return push_policies.cross_account_hint(
            self.caller.number, self.caller.partition, self.account, self.region, name,
            missing=missing,
        )  # fmt: skip

    def permission_hint(self, name: str) -> str:
        """What to do where a permission is missing."""
        if self.is_foreign and name:
            return self._cross_account(name, missing=False)
        return push_policies.PERMISSION_HINT

    def _told(self, what: str, name: str) -> AbstractContextManager[None]:
        """botocore's errors as ours."""
        return told(what, self.permission_hint(name))


class EcrRepository:
    """A repository: `uri` is HOST/NAME, `immutable` whether its tags stay what they are, `made`
    whether it is new. A Place."""

    apart = True
    """What an engine sends may go by a tag of its own first: it can be taken away again."""

    def __init__(self, ecr: Ecr, *, name: str, uri: str, immutable: bool, made: bool) -> None:
        self._ecr, self.name, self.uri = ecr, name, uri
        self.immutable, self.made = immutable, made
        self.account: str | None = ecr.account
        self.region: str | None = ecr.region
        self.needs = push_policies.FOREIGN if ecr.is_foreign else ""
        self._client = ecr.caller.client("ecr")

    def login(self) -> dict[str, str] | None:
        """What the engine logs in with, new for each push."""
        return self._ecr.token()

    def manifest(self, reference: str) -> Manifest | None:
        """The manifest that a tag or digest (`sha256:…`) names, None where there is none."""
        with self._told(reference):
            found = self._client.batch_get_image(
                repositoryName=self.name,
                imageIds=[_image_id(reference)],
                acceptedMediaTypes=list(ACCEPTED),
                **self._ecr.where,
            )
        return _manifest(found["images"][0]) if found["images"] else None

    def put(self, tag: str, text: str) -> Manifest:
        """Put a Docker manifest of blobs that are there already. Raises ResourceInUseError where
        the tag may not move."""
        known = self._client.exceptions
        with self._told(tag):
            try:
                image = self._client.put_image(
                    repositoryName=self.name,
                    imageManifest=text,
                    imageManifestMediaType=DOCKER,
                    imageTag=tag,
                    **self._ecr.where,
                )["image"]
            except known.ImageTagAlreadyExistsException as error:
                raise ResourceInUseError(
                    str(error), hint="Somebody else has pushed by that tag: choose another one."
                ) from error
            except known.ImageAlreadyExistsException:  # by this tag, too
                found = self.manifest(tag)
                if found is None:
                    raise
                return found
        return Manifest(text=text, digest=image["imageId"]["imageDigest"])

    def delete_tag(self, tag: str) -> None:
        """Take a tag away, and the image if it has no other; one that isn't there is no error."""
        self.delete([{"imageTag": tag}])

    def delete(self, ids: Sequence[Mapping[str, str]]) -> dict[str, str]:
        """Delete images by `imageTag` or `imageDigest`; those that ECR would not delete, and its
        words. One that isn't there is no error."""
        failures: list[Mapping[str, Any]] = []
        for start in range(0, len(ids), _BATCH):
            with self._told("its images"):
                found = self._client.batch_delete_image(
                    repositoryName=self.name,
                    imageIds=list(ids[start : start + _BATCH]),
                    **self._ecr.where,
                )
            failures += found.get("failures") or []
        return {
            one["imageId"].get("imageDigest") or one["imageId"].get("imageTag", ""): (
                f"{one['failureCode']}: {one['failureReason']}"
            )
            for one in failures
            if one["failureCode"] != "ImageNotFound"
        }

    def images(self) -> list[StoredImage]:
        """All of its images."""
        with self._told("its images"):
            pages = self._client.get_paginator("describe_images").paginate(
                repositoryName=self.name, **self._ecr.where
            )
            return [_stored(one) for page in pages for one in page["imageDetails"]]

    def refused(self, words: str) -> SagedockError:
        """The error for a push that the registry denies."""
        return AwsError(words, hint=self._ecr.permission_hint(self.name))

    def _told(self, reference: str) -> AbstractContextManager[None]:
        return told(f"Image {self.name}:{reference}", self._ecr.permission_hint(self.name))


def _image_id(reference: str) -> dict[str, str]:
    key = "imageDigest" if reference.startswith("sha256:") else "imageTag"
    return {key: reference}


def _manifest(image: Mapping[str, Any]) -> Manifest:
    return Manifest(text=image["imageManifest"], digest=image["imageId"]["imageDigest"])


def _stored(found: Mapping[str, Any]) -> StoredImage:
    return StoredImage(
        digest=found["imageDigest"],
        tags=tuple(found.get("imageTags") or ()),
        pushed=found["imagePushedAt"],
        size=found.get("imageSizeInBytes", 0),
        media_type=found.get("imageManifestMediaType", ""),
    )
