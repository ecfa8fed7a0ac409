"""ECR: repositories, tokens, manifests of the caller's account.

With AWS_ENDPOINT_URL set (`sagedock run`, `sagedock env`) it asks this machine.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from sagedock.aws.account import Account, told
from sagedock.images.manifests import ACCEPTED, DOCKER, Manifest

_LIFECYCLE = {
    "rules": [
        {
            "rulePriority": 1,
            "description": "Untagged images go after 14 days; tagged ones stay (I6)",
            "selection": {
                "tagStatus": "untagged",
                "countType": "sinceImagePushed",
                "countUnit": "days",
                "countNumber": 14,
            },
            "action": {"type": "expire"},
        }
    ]
}
_PERMISSION_HINT = (
    "The caller may lack a permission: sagedock needs ecr:* of the repository and "
    "sts:GetCallerIdentity."
)


@dataclass(frozen=True, kw_only=True)
class Repository:
    """A repository: `uri` is HOST/NAME, `immutable` whether its tags stay what they are."""

    name: str
    uri: str
    immutable: bool
    made: bool


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What a repository is to be like where it has to be made."""

    immutable: bool = True
    scan: bool = True
    kms_key: str | None = None


class Ecr:
    """ECR of the caller's account in `region` (None: as boto3 finds it). Raises AwsError with the
    service's own words."""

    def __init__(self, region: str | None = None, profile: str | None = None) -> None:
        caller = Account(region, profile)
        self.region = caller.region
        self.account = caller.number
        self._client = caller.client("ecr")

    def ensure(self, name: str, wishes: Wishes) -> Repository:
        """The repository of that name, made as wished where there is none. One that is there is
        left as it is."""
        with _told(f"Repository {name}"):
            try:
                found = self._client.describe_repositories(repositoryNames=[name])
            except self._client.exceptions.RepositoryNotFoundException:
                return self._make(name, wishes)
        return _repository(found["repositories"][0], made=False)

    def _make(self, name: str, wishes: Wishes) -> Repository:
        encryption = {"encryptionType": "AES256"}
        if wishes.kms_key:
            encryption = {"encryptionType": "KMS", "kmsKey": wishes.kms_key}
        made = self._client.create_repository(
            repositoryName=name,
            imageTagMutability="IMMUTABLE" if wishes.immutable else "MUTABLE",
            imageScanningConfiguration={"scanOnPush": wishes.scan},
            encryptionConfiguration=encryption,
        )
        self._client.put_lifecycle_policy(
            repositoryName=name, lifecyclePolicyText=json.dumps(_LIFECYCLE)
        )
        return _repository(made["repository"], made=True)

    def login(self) -> dict[str, str]:
        """User and password for the account's registry, good for 12 hours (I4)."""
        with _told("A token for the registry"):
            data = self._client.get_authorization_token()["authorizationData"][0]
        user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
        return {"username": user, "password": password}

    def manifest(self, repository: str, reference: str) -> Manifest | None:
        """The manifest that a tag or digest (`sha256:…`) names, None where there is none."""
        key = "imageDigest" if reference.startswith("sha256:") else "imageTag"
        with _told(f"Image {repository}:{reference}"):
            found = self._client.batch_get_image(
                repositoryName=repository,
                imageIds=[{key: reference}],
                acceptedMediaTypes=list(ACCEPTED),
            )
        if not found["images"]:
            return None
        image = found["images"][0]
        return Manifest(text=image["imageManifest"], digest=image["imageId"]["imageDigest"])

    def put(self, repository: str, tag: str, text: str) -> Manifest:
        """Put a Docker manifest of blobs that are there already."""
        with _told(f"Image {repository}:{tag}"):
            image = self._client.put_image(
                repositoryName=repository,
                imageManifest=text,
                imageManifestMediaType=DOCKER,
                imageTag=tag,
            )["image"]
        return Manifest(text=text, digest=image["imageId"]["imageDigest"])

    def delete_tag(self, repository: str, tag: str) -> None:
        """Take a tag away, and the image if it has no other; one that isn't there is no error."""
        with _told(f"Image {repository}:{tag}"):
            self._client.batch_delete_image(repositoryName=repository, imageIds=[{"imageTag": tag}])


def _repository(found: Mapping[str, Any], *, made: bool) -> Repository:
    return Repository(
        name=found["repositoryName"],
        uri=found["repositoryUri"],
        immutable=found.get("imageTagMutability", "MUTABLE").startswith("IMMUTABLE"),
        made=made,
    )


def _told(what: str) -> AbstractContextManager[None]:
    """botocore's errors as ours."""
    return told(what, _PERMISSION_HINT)
