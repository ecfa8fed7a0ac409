"""IAM's managed policies with their versions: kept and shown. They decide nothing here."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from sagedock.local.settings import LocalSettings
from sagedock.server.protocols.shapes import Params
from sagedock.server.services.documents import Document, Documents
from sagedock.server.services.paging import page
from sagedock.server.services.rpc import ServiceError

_PAGE = 100
_VERSIONS = 5
"""How many versions a policy has at most."""

_EVERYTHING = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "*", "Resource": "*"}]}  # fmt: skip
_OF_AWS = re.compile(r"arn:aws[\w-]*:iam::aws:policy/[\w+=,.@/-]+", re.A)


def marked(member: str, rows: list[Any], params: Params) -> dict[str, Any]:
    """A page of `rows` in IAM's words: Marker, MaxItems, IsTruncated."""
    wrong = ServiceError("ValidationError", "Invalid Marker.")
    found, more = page(rows, params.get("Marker"), params.get("MaxItems", _PAGE), wrong)
    return {member: found, "IsTruncated": more is not None, "Marker": more}


def policy_document(name: str, text: str) -> None:
    """Raise MalformedPolicyDocument unless `text` is a JSON object with statements."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        text = f"{name}: This policy contains invalid Json"
        raise ServiceError("MalformedPolicyDocument", text) from None
    if not isinstance(document, dict) or "Statement" not in document:
        raise ServiceError("MalformedPolicyDocument", f"{name}: Missing required field Statement")


def no_entity(text: str) -> ServiceError:
    """What IAM answers for something that isn't there."""
    return ServiceError("NoSuchEntity", text, status=404)


class ManagedPolicies:
    """Managed policies in a data folder's database. AWS's own are all there and allow all."""

    def __init__(self, settings: LocalSettings, known: Documents) -> None:
        self._account, self._known = settings.account, known

    def operations(self) -> dict[str, Callable[[Params], Mapping[str, Any] | None]]:
        """What RpcService is given."""
        return {
            "CreatePolicy": self._create,
            "GetPolicy": lambda params: {"Policy": _shown(self._policy(params))},
            "DeletePolicy": self._delete,
            "ListPolicies": self._list,
            "CreatePolicyVersion": self._create_version,
            "GetPolicyVersion": self._get_version,
            "DeletePolicyVersion": self._delete_version,
            "SetDefaultPolicyVersion": self._set_default,
            "ListPolicyVersions": self._list_versions,
        }

    def _policy(self, params: Params) -> Document:
        arn = params["PolicyArn"]
        return self._known.get("policy", arn) or _of_aws(arn)

    def _create(self, params: Params) -> dict[str, Any]:
        policy_document("PolicyDocument", params["PolicyDocument"])
        path, name = params.get("Path", "/"), params["PolicyName"]
        arn = f"arn:aws:iam::{self._account}:policy{path}{name}"
        policy = _new(arn, params["PolicyDocument"], time.time()) | {
            "Path": path, "PolicyName": name, "Description": params.get("Description"),
        }  # fmt: skip
        if not self._known.add("policy", arn, policy):
            text = f"A policy called {name} already exists. Duplicate names are not allowed."
            raise ServiceError("EntityAlreadyExists", text, status=409)
        return {"Policy": _shown(policy)}

    def _change(self, params: Params, change: Callable[[Document], None]) -> Document:
        def changed(policy: Document | None) -> Document:
            policy = policy or _of_aws(params["PolicyArn"])
            change(policy)
            return policy

        return self._known.update("policy", params["PolicyArn"], changed) or {}

    def _delete(self, params: Params) -> None:
        if not self._known.delete("policy", params["PolicyArn"]):
            raise _missing(params["PolicyArn"])

    def _list(self, params: Params) -> dict[str, Any]:
        prefix = params.get("PathPrefix", "/")
        known = self._known.list("policy").values() if params.get("Scope") != "AWS" else ()
        rows = [_shown(policy) for policy in known if policy["Path"].startswith(prefix)]
        return marked("Policies", rows, params)

    # versions

    def _create_version(self, params: Params) -> dict[str, Any]:
        policy_document("PolicyDocument", params["PolicyDocument"])

        def added(policy: Document) -> None:
            if len(policy["Versions"]) >= _VERSIONS:
                text = (
                    "A managed policy can have up to 5 versions. Before you create a new version, "
                    "you must delete an existing version."
                )
                raise ServiceError("LimitExceeded", text, status=409)
            number = policy["Last"] = policy["Last"] + 1
            policy["Versions"][f"v{number}"] = [params["PolicyDocument"], time.time()]
            if params.get("SetAsDefault"):
                policy["Default"] = f"v{number}"

        policy = self._change(params, added)
        return {"PolicyVersion": _version(policy, f"v{policy['Last']}")}

    def _get_version(self, params: Params) -> dict[str, Any]:
        policy = self._policy(params)
        _known_version(policy, params)
        return {"PolicyVersion": _version(policy, params["VersionId"], whole=True)}

    def _delete_version(self, params: Params) -> None:
        def without(policy: Document) -> None:
            _known_version(policy, params)
            if policy["Default"] == params["VersionId"]:
                text = "Cannot delete the default version of a policy."
                raise ServiceError("DeleteConflict", text, status=409)
            del policy["Versions"][params["VersionId"]]

        self._change(params, without)

    def _set_default(self, params: Params) -> None:
        def chosen(policy: Document) -> None:
            _known_version(policy, params)
            policy["Default"] = params["VersionId"]

        self._change(params, chosen)

    def _list_versions(self, params: Params) -> dict[str, Any]:
        policy = self._policy(params)
        newest = sorted(policy["Versions"], key=lambda name: -int(name[1:]))
        return marked("Versions", [_version(policy, name) for name in newest], params)


def _new(arn: str, text: str, now: float) -> Document:
    return {
        "Arn": arn, "CreateDate": now, "Versions": {"v1": [text, now]}, "Default": "v1", "Last": 1,
    }  # fmt: skip


def _of_aws(arn: str) -> Document:
    if not _OF_AWS.fullmatch(arn):
        raise _missing(arn)
    path, _, name = arn.partition(":policy")[2].rpartition("/")
    return _new(arn, json.dumps(_EVERYTHING), 0.0) | {"Path": f"{path}/", "PolicyName": name}


def _shown(policy: Document) -> dict[str, Any]:
    return {
        "PolicyName": policy["PolicyName"],
        "PolicyId": "ANPA" + hashlib.sha256(policy["Arn"].encode()).hexdigest()[:17].upper(),
        "Arn": policy["Arn"],
        "Path": policy["Path"],
        "DefaultVersionId": policy["Default"],
        "AttachmentCount": 0,
        "IsAttachable": True,
        "Description": policy.get("Description"),
        "CreateDate": datetime.fromtimestamp(policy["CreateDate"], UTC),
        "UpdateDate": datetime.fromtimestamp(policy["Versions"][policy["Default"]][1], UTC),
    }


def _version(policy: Document, name: str, *, whole: bool = False) -> dict[str, Any]:
    text, created = policy["Versions"][name]
    return {
        "VersionId": name,
        "IsDefaultVersion": policy["Default"] == name,
        "CreateDate": datetime.fromtimestamp(created, UTC),
        "Document": quote(text, safe="") if whole else None,
    }


def _known_version(policy: Document, params: Params) -> None:
    if params["VersionId"] not in policy["Versions"]:
        version = f"{policy['Arn']} version {params['VersionId']}"
        raise no_entity(f"Policy {version} does not exist or is not attachable.")


def _missing(arn: str) -> ServiceError:
    return no_entity(f"Policy {arn} does not exist or is not attachable.")
