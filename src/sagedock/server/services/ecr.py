"""ECR: repositories, their settings and policies, and tokens for the registry behind them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sagedock.local.settings import LocalSettings
from sagedock.server.protocols.shapes import Params
from sagedock.server.registry.store import ImageStore
from sagedock.server.registry.tokens import USER, Tokens
from sagedock.server.services.documents import Document
from sagedock.server.services.ecr_images import EcrImages, page_of
from sagedock.server.services.ecr_lifecycle import PolicyError, read
from sagedock.server.services.ecr_through import EcrRegistry
from sagedock.server.services.kept import KeptService
from sagedock.server.services.rpc import Operation, ServiceError

if TYPE_CHECKING:
    from collections.abc import Sequence


class EcrRepositories:
    """The operations on repositories. `address` is the registry's, as `docker push` has it."""

    def __init__(
        self, settings: LocalSettings, images: ImageStore, tokens: Tokens, address: str
    ) -> None:
        self._settings, self._tokens, self._address = settings, tokens, address
        self._images, self._records = images, images.records

    def operations(self) -> dict[str, Operation]:
        """What RpcService is given."""
        return {
            "CreateRepository": self._create,
            "DescribeRepositories": self._describe,
            "DeleteRepository": self._delete,
            "GetAuthorizationToken": self._token,
            "PutImageTagMutability": self._put_mutability,
            "PutImageScanningConfiguration": self._put_scanning,
            **self._text("LifecyclePolicy", "lifecyclePolicyText", "lifecycle", "Put", (
                "LifecyclePolicyNotFoundException", "Lifecycle policy does not exist")),
            **self._text("RepositoryPolicy", "policyText", "policy", "Set", (
                "RepositoryPolicyNotFoundException", "Repository policy does not exist")),
            "PutLifecyclePolicy": self._put_lifecycle,
            "TagResource": self._tag,
            "UntagResource": self._untag,
            "ListTagsForResource": lambda params: {
                "tags": _tag_list(self._records.get(self._of_arn(params)).get("tags", {}))
            },
        }  # fmt: skip

    # repositories

    def _create(self, params: Params) -> dict[str, Any]:
        settings = {
            "mutability": params.get("imageTagMutability", "MUTABLE"),
            "exclusions": params.get("imageTagMutabilityExclusionFilters", []),
            "scan": params.get("imageScanningConfiguration", {}).get("scanOnPush", False),
            "encryption": params.get("encryptionConfiguration", {"encryptionType": "AES256"}),
            "tags": {tag["Key"]: tag["Value"] for tag in params.get("tags", ())},
        }
        _check_filters(settings["mutability"], settings["exclusions"])
        name = params["repositoryName"]
        return {"repository": self._shown(name, self._records.create(name, settings))}

    def _shown(self, name: str, known: Document) -> dict[str, Any]:
        return {
            "repositoryArn": self._arn(name),
            "registryId": self._records.account,
            "repositoryName": name,
            "repositoryUri": f"{self._address}/{name}",
            "createdAt": datetime.fromtimestamp(known["created"], UTC),
            "imageTagMutability": known["mutability"],
            "imageTagMutabilityExclusionFilters": known["exclusions"] or None,
            "imageScanningConfiguration": {"scanOnPush": known["scan"]},
            "encryptionConfiguration": known["encryption"],
        }

    def _arn(self, name: str) -> str:
        return f"arn:aws:ecr:{self._settings.region}:{self._records.account}:repository/{name}"

    def _describe(self, params: Params) -> dict[str, Any]:
        if params.get("repositoryNames"):
            names = params["repositoryNames"]
            return {"repositories": [self._shown(n, self._records.get(n)) for n in names]}
        rows = list(self._records.all().items())
        found, more = page_of(rows, params)
        return {"repositories": [self._shown(*row) for row in found], "nextToken": more}

    def _delete(self, params: Params) -> dict[str, Any]:
        name = params["repositoryName"]
        shown, digests = self._shown(name, self._records.get(name)), self._records.images(name)
        if digests and not params.get("force"):
            raise ServiceError(
                "RepositoryNotEmptyException",
                f"The repository with name '{name}' in registry with id "
                f"'{self._records.account}' cannot be deleted because it still contains images",
            )
        for digest in digests:
            self._images.remove(name, digest)
        self._records.delete(name)
        return {"repository": shown}

    def _token(self, params: Params) -> dict[str, Any]:
        password, ends = self._tokens.password()
        data = {
            "authorizationToken": base64.b64encode(f"{USER}:{password}".encode()).decode(),
            "expiresAt": datetime.fromtimestamp(ends, UTC),
            "proxyEndpoint": f"http://{self._address}",
        }
        return {"authorizationData": [data for _ in params.get("registryIds", [""])]}

    # settings

    def _put_mutability(self, params: Params) -> dict[str, Any]:
        name, mode = params["repositoryName"], params["imageTagMutability"]
        filters = params.get("imageTagMutabilityExclusionFilters", [])
        _check_filters(mode, filters)
        self._records.change(name, mutability=mode, exclusions=filters)
        return {
            **self._named(name),
            "imageTagMutability": mode,
            "imageTagMutabilityExclusionFilters": filters or None,
        }

    def _put_scanning(self, params: Params) -> dict[str, Any]:
        name, scanning = params["repositoryName"], params["imageScanningConfiguration"]
        self._records.change(name, scan=scanning.get("scanOnPush", False))
        return {**self._named(name), "imageScanningConfiguration": scanning}

    def _put_lifecycle(self, params: Params) -> dict[str, Any]:
        name, text = params["repositoryName"], params["lifecyclePolicyText"]
        try:
            read(text)
        except PolicyError as error:
            raise ServiceError(
                "InvalidParameterException",
                "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: "
                f"'Lifecycle policy validation failure: {error}'",
            ) from None
        self._records.change(name, lifecycle=text)
        self._images.expire(name)
        return {**self._named(name), "lifecyclePolicyText": text}

    def _named(self, name: str) -> dict[str, str]:
        return {"registryId": self._records.account, "repositoryName": name}

    def _text(
        self, what: str, member: str, key: str, verb: str, absent: tuple[str, str]
    ) -> dict[str, Operation]:
        """The operations on a policy that is a text: kept, and given back."""

        def put(params: Params) -> dict[str, Any]:
            _check_json(member, params[member])
            self._records.change(params["repositoryName"], **{key: params[member]})
            return {**self._named(params["repositoryName"]), member: params[member]}

        def get(params: Params) -> dict[str, Any]:
            name = params["repositoryName"]
            text = self._records.get(name).get(key)
            if text is None:
                raise ServiceError(
                    absent[0],
                    f"{absent[1]} for the repository with name '{name}' in the registry with id "
                    f"'{self._records.account}'",
                )
            return {**self._named(name), member: text}

        def delete(params: Params) -> dict[str, Any]:
            found = get(params)
            self._records.change(params["repositoryName"], **{key: None})
            return found

        return {f"{verb}{what}": put, f"Get{what}": get, f"Delete{what}": delete}

    # tags

    def _of_arn(self, params: Params) -> str:
        prefix = self._arn("")
        if not params["resourceArn"].startswith(prefix):
            raise ServiceError(
                "InvalidParameterException",
                "Invalid parameter at 'resourceArn' failed to satisfy constraint: 'Invalid ARN'",
            )
        name: str = params["resourceArn"].removeprefix(prefix)
        return name

    def _tag(self, params: Params) -> None:
        name = self._of_arn(params)
        new = {tag["Key"]: tag["Value"] for tag in params["tags"]}
        self._records.change(name, tags={**self._records.get(name).get("tags", {}), **new})

    def _untag(self, params: Params) -> None:
        name = self._of_arn(params)
        tags = self._records.get(name).get("tags", {})
        left = {key: value for key, value in tags.items() if key not in params["tagKeys"]}
        self._records.change(name, tags=left)


def service(
    settings: LocalSettings, images: ImageStore, tokens: Tokens, address: str
) -> KeptService:
    """The service `ecr` on `images`, whose registry answers at `address` (HOST:PORT)."""
    account = images.records.account
    operations: dict[str, Operation] = {
        name: _in_account(account, call)
        for name, call in {
            **EcrRepositories(settings, images, tokens, address).operations(),
            **EcrImages(images).operations(),
            **EcrRegistry(images.records).operations(),
        }.items()
    }
    held = [images.records]
    return KeptService("ecr", operations, held=held, invalid="InvalidParameterException")


def _in_account(account: str, call: Operation) -> Callable[[Params], Mapping[str, Any] | None]:
    """There is one registry: the account's own."""

    def checked(params: Params) -> Mapping[str, Any] | None:
        if params.get("registryId", account) != account:
            name = params.get("repositoryName", "")
            raise ServiceError(
                "RepositoryNotFoundException",
                f"The repository with name '{name}' does not exist in the registry with id "
                f"'{params['registryId']}'",
            )
        return call(params)

    return checked


def _check_json(member: str, text: str) -> None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ServiceError(
            "InvalidParameterException",
            f"Invalid parameter at '{member}' failed to satisfy constraint: "
            "'Invalid repository policy provided'",
        )


def _check_filters(mode: str, filters: Sequence[Any]) -> None:
    if bool(filters) != mode.endswith("_WITH_EXCLUSION"):
        raise ServiceError(
            "InvalidParameterException",
            "Invalid parameter at 'imageTagMutabilityExclusionFilters': they go with "
            "IMMUTABLE_WITH_EXCLUSION and MUTABLE_WITH_EXCLUSION, and only with them",
        )


def _tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
