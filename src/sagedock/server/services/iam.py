"""IAM: roles and managed policies, as far as the SDKs ask for them. Nothing is ever denied here.

A role that nobody has made is there all the same, trusted by SageMaker: programs come with the
names of their own accounts' roles, and a job takes any.
"""

from __future__ import annotations

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
from sagedock.server.services.iam_policies import (
    ManagedPolicies,
    marked,
    no_entity,
    policy_document,
)
from sagedock.server.services.kept import KeptService
from sagedock.server.services.rpc import ServiceError
from sagedock.server.services.sts import ROLE, role_id

_FULL_ACCESS = "arn:aws:iam::aws:policy/AmazonSageMakerFullAccess"
_TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "sagemaker.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)
_BORN = 1511913600.0
"""When a role that nobody has made was made: with SageMaker itself."""


class IamService:
    """Roles in a data folder's database."""

    def __init__(self, settings: LocalSettings, known: Documents) -> None:
        self._account, self._known = settings.account, known

    def operations(self) -> dict[str, Callable[[Params], Mapping[str, Any] | None]]:
        """What RpcService is given."""
        return {
            "GetRole": lambda params: {"Role": self._shown(self._role(params["RoleName"]))},
            "CreateRole": self._create_role,
            "UpdateAssumeRolePolicy": self._update_trust,
            "DeleteRole": self._delete_role,
            "ListRoles": self._list_roles,
            "ListRoleTags": self._list_tags,
            "TagRole": self._tag,
            "UntagRole": self._untag,
            "AttachRolePolicy": self._attach,
            "DetachRolePolicy": self._detach,
            "ListAttachedRolePolicies": self._list_attached,
            "PutRolePolicy": self._put_inline,
            "GetRolePolicy": self._get_inline,
            "DeleteRolePolicy": self._delete_inline,
            "ListRolePolicies": self._list_inline,
            "ListInstanceProfilesForRole": lambda params: {
                "InstanceProfiles": [], "IsTruncated": False,
            },
            "SimulatePrincipalPolicy": _simulate,
        }  # fmt: skip

    # roles

    def _role(self, name: str) -> Document:
        return self._known.get("role", name) or self._unmade(name)

    def _unmade(self, name: str) -> Document:
        path = "/service-role/" if name.startswith("AmazonSageMaker-ExecutionRole") else "/"
        return {
            "RoleName": name, "Path": path, "AssumeRolePolicyDocument": _TRUST, "CreateDate": _BORN,
            "MaxSessionDuration": 43200, "Attached": [_FULL_ACCESS], "Inline": {}, "Tags": {},
        }  # fmt: skip

    def _shown(self, role: Document) -> dict[str, Any]:
        return {
            "Path": role["Path"],
            "RoleName": role["RoleName"],
            "RoleId": role_id(self._account, role["RoleName"]),
            "Arn": f"arn:aws:iam::{self._account}:role{role['Path']}{role['RoleName']}",
            "CreateDate": datetime.fromtimestamp(role["CreateDate"], UTC),
            "AssumeRolePolicyDocument": quote(role["AssumeRolePolicyDocument"], safe=""),
            "Description": role.get("Description"),
            "MaxSessionDuration": role["MaxSessionDuration"],
            "Tags": _tag_list(role["Tags"]) or None,
        }

    def _create_role(self, params: Params) -> dict[str, Any]:
        name = params["RoleName"]
        policy_document("AssumeRolePolicyDocument", params["AssumeRolePolicyDocument"])
        role = self._unmade(name) | {
            "Path": params.get("Path", "/"),
            "AssumeRolePolicyDocument": params["AssumeRolePolicyDocument"],
            "Description": params.get("Description"),
            "MaxSessionDuration": params.get("MaxSessionDuration", 3600),
            "CreateDate": time.time(),
            "Attached": [],
            "Tags": {tag["Key"]: tag["Value"] for tag in params.get("Tags", ())},
        }
        if not self._known.add("role", name, role):
            raise ServiceError(
                "EntityAlreadyExists", f"Role with name {name} already exists.", status=409
            )
        return {"Role": self._shown(role)}

    def _change(self, name: str, change: Callable[[Document], None]) -> None:
        def changed(role: Document | None) -> Document:
            role = role or self._unmade(name)
            change(role)
            return role

        self._known.update("role", name, changed)

    def _update_trust(self, params: Params) -> None:
        policy_document("PolicyDocument", params["PolicyDocument"])
        new = {"AssumeRolePolicyDocument": params["PolicyDocument"]}
        self._change(params["RoleName"], lambda role: role.update(new))

    def _delete_role(self, params: Params) -> None:
        name = params["RoleName"]

        def checked(role: Document | None) -> None:
            if role is None:
                raise no_entity(f"The role with name {name} cannot be found.")
            for what, found in (("detach all", "Attached"), ("delete", "Inline")):
                if role[found]:
                    text = f"Cannot delete entity, must {what} policies first."
                    raise ServiceError("DeleteConflict", text, status=409)

        self._known.update("role", name, checked)

    def _list_roles(self, params: Params) -> dict[str, Any]:
        known = self._known.list("role")
        roles = {ROLE: self._unmade(ROLE), **known}
        prefix = params.get("PathPrefix", "/")
        rows = [
            self._shown(roles[name]) for name in sorted(roles)
            if roles[name]["Path"].startswith(prefix)
        ]  # fmt: skip
        return marked("Roles", rows, params)

    # tags

    def _list_tags(self, params: Params) -> dict[str, Any]:
        return marked("Tags", _tag_list(self._role(params["RoleName"])["Tags"]), params)

    def _tag(self, params: Params) -> None:
        new = {tag["Key"]: tag["Value"] for tag in params["Tags"]}
        self._change(params["RoleName"], lambda role: role["Tags"].update(new))

    def _untag(self, params: Params) -> None:
        def without(role: Document) -> None:
            for key in params["TagKeys"]:
                role["Tags"].pop(key, None)

        self._change(params["RoleName"], without)

    # policies of roles

    def _attach(self, params: Params) -> None:
        def attached(role: Document) -> None:
            if params["PolicyArn"] not in role["Attached"]:
                role["Attached"].append(params["PolicyArn"])

        self._change(params["RoleName"], attached)

    def _detach(self, params: Params) -> None:
        def detached(role: Document) -> None:
            if params["PolicyArn"] not in role["Attached"]:
                raise no_entity(f"Policy {params['PolicyArn']} was not found.")
            role["Attached"].remove(params["PolicyArn"])

        self._change(params["RoleName"], detached)

    def _list_attached(self, params: Params) -> dict[str, Any]:
        rows = [
            {"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn}
            for arn in self._role(params["RoleName"])["Attached"]
        ]
        return marked("AttachedPolicies", rows, params)

    def _put_inline(self, params: Params) -> None:
        policy_document("PolicyDocument", params["PolicyDocument"])
        new = {params["PolicyName"]: params["PolicyDocument"]}
        self._change(params["RoleName"], lambda role: role["Inline"].update(new))

    def _get_inline(self, params: Params) -> dict[str, Any]:
        text = self._role(params["RoleName"])["Inline"].get(params["PolicyName"])
        if text is None:
            raise _no_inline(params)
        return {
            "RoleName": params["RoleName"],
            "PolicyName": params["PolicyName"],
            "PolicyDocument": quote(text, safe=""),
        }

    def _delete_inline(self, params: Params) -> None:
        def without(role: Document) -> None:
            if role["Inline"].pop(params["PolicyName"], None) is None:
                raise _no_inline(params)

        self._change(params["RoleName"], without)

    def _list_inline(self, params: Params) -> dict[str, Any]:
        names = sorted(self._role(params["RoleName"])["Inline"])
        return marked("PolicyNames", names, params)


def service(settings: LocalSettings) -> KeptService:
    """The service `iam`."""
    known = Documents(settings.data, "iam")
    roles, policies = IamService(settings, known), ManagedPolicies(settings, known)
    operations = roles.operations() | policies.operations()
    return KeptService("iam", operations, held=[known], invalid="ValidationError")


def _no_inline(params: Params) -> ServiceError:
    return no_entity(f"The role policy with name {params['PolicyName']} cannot be found.")


def _tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


_PRINCIPAL = re.compile(r"arn:[\w-]+:iam::\d{12}:(user|role|group)/[\x21-\x7e]+", re.A)


def _simulate(params: Params) -> dict[str, Any]:
    """SimulatePrincipalPolicy: all is allowed."""
    if not _PRINCIPAL.fullmatch(params["PolicySourceArn"]):
        arn = params["PolicySourceArn"]
        text = f"Invalid Entity Arn: {arn} does not clearly define entity type and name."
        raise ServiceError("InvalidInput", text)
    rows = [
        {
            "EvalActionName": action,
            "EvalResourceName": resource,
            "EvalDecision": "allowed",
            "MatchedStatements": [],
            "MissingContextValues": [],
        }
        for action in params["ActionNames"]
        for resource in params.get("ResourceArns", ["*"])
    ]
    return marked("EvaluationResults", rows, params)
