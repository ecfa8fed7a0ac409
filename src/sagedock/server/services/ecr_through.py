"""ECR's operations on the registry as a whole: pull-through cache rules, its policy, what it is."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from sagedock.errors import SagedockError
from sagedock.images.registry_api import RegistryApi
from sagedock.server.protocols.shapes import Params
from sagedock.server.registry.upstream import host_of
from sagedock.server.services.documents import Document
from sagedock.server.services.ecr_images import page_of
from sagedock.server.services.ecr_records import EcrRecords
from sagedock.server.services.rpc import Operation, ServiceError

Answer = dict[str, Any]


class EcrRegistry:
    """The operations on the registry of `records`."""

    def __init__(self, records: EcrRecords) -> None:
        self._records, self._documents = records, records.documents

    def operations(self) -> dict[str, Operation]:
        """What RpcService is given."""
        return {
            "CreatePullThroughCacheRule": self._create,
            "DescribePullThroughCacheRules": self._describe,
            "DeletePullThroughCacheRule": self._delete,
            "ValidatePullThroughCacheRule": self._validate,
            "PutRegistryPolicy": self._put_policy,
            "GetRegistryPolicy": self._get_policy,
            "DeleteRegistryPolicy": self._delete_policy,
            "DescribeRegistry": lambda params: {
                "registryId": self._records.account,
                "replicationConfiguration": {"rules": []},
            },
        }

    def _create(self, params: Params) -> Answer:
        prefix = _bare(params["ecrRepositoryPrefix"])
        known = {
            "upstream": params["upstreamRegistryUrl"],
            "created": time.time(),
            "upstream_prefix": _bare(params.get("upstreamRepositoryPrefix", "ROOT")),
            "registry": params.get("upstreamRegistry"),
            "credential": params.get("credentialArn"),
            "role": params.get("customRoleArn"),
        }
        if not self._documents.add("through", prefix, known):
            raise ServiceError(
                "PullThroughCacheRuleAlreadyExistsException",
                f"A pull through cache rule for the prefix '{prefix}' already exists in the "
                f"registry with id '{self._records.account}'",
            )
        return self._shown(prefix, known)

    def _shown(self, prefix: str, known: Document) -> Answer:
        return {
            "ecrRepositoryPrefix": prefix,
            "upstreamRegistryUrl": known["upstream"],
            "createdAt": datetime.fromtimestamp(known["created"], UTC),
            "registryId": self._records.account,
            "upstreamRepositoryPrefix": known["upstream_prefix"],
            "upstreamRegistry": known["registry"],
            "credentialArn": known["credential"],
            "customRoleArn": known["role"],
        }

    def _get(self, params: Params) -> tuple[str, Document]:
        prefix = _bare(params["ecrRepositoryPrefix"])
        known = self._documents.get("through", prefix)
        if known is None:
            raise ServiceError(
                "PullThroughCacheRuleNotFoundException",
                f"The pull through cache rule for the prefix '{prefix}' does not exist in the "
                f"registry with id '{self._records.account}'",
            )
        return prefix, known

    def _describe(self, params: Params) -> Answer:
        asked = params.get("ecrRepositoryPrefixes")
        if asked:
            rows = [self._get({"ecrRepositoryPrefix": prefix}) for prefix in asked]
            return {"pullThroughCacheRules": [self._shown(*row) for row in rows]}
        found, more = page_of(list(self._documents.list("through").items()), params)
        return {"pullThroughCacheRules": [self._shown(*row) for row in found], "nextToken": more}

    def _delete(self, params: Params) -> Answer:
        prefix, known = self._get(params)
        self._documents.delete("through", prefix)
        return self._shown(prefix, known)

    def _validate(self, params: Params) -> Answer:
        """Whether the upstream answers at all."""
        prefix, known = self._get(params)
        host, failure = host_of(known["upstream"]), ""
        plain = (host.rpartition(":")[0] or host) in {"localhost", "127.0.0.1"}
        try:
            RegistryApi(host, plain=plain).manifest("sagedock/validation", "latest")
        except SagedockError as error:
            failure = "" if "does not answer" not in error.message else error.message
        shown = {key: value for key, value in self._shown(prefix, known).items()
                 if key not in {"createdAt", "upstreamRegistry"}}  # fmt: skip
        return {**shown, "isValid": not failure, "failure": failure or None}

    # the registry's policy

    def _put_policy(self, params: Params) -> Answer:
        self._documents.put("registry", "policy", {"text": params["policyText"]})
        return self._get_policy(params)

    def _get_policy(self, params: Params) -> Answer:
        known = self._documents.get("registry", "policy")
        if known is None:
            raise ServiceError(
                "RegistryPolicyNotFoundException",
                f"Registry policy does not exist in the registry with id '{self._records.account}'",
            )
        return {"registryId": self._records.account, "policyText": known["text"]}

    def _delete_policy(self, params: Params) -> Answer:
        found = self._get_policy(params)
        self._documents.delete("registry", "policy")
        return found


def _bare(prefix: str) -> str:
    return prefix.rstrip("/")
