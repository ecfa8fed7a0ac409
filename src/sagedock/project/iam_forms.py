"""Policies in the forms that people keep them in: CloudFormation and Terraform. Pure."""

from __future__ import annotations

import json
from typing import Any

from sagedock.errors import UsageError
from sagedock.project.iam import Document, Needs, caller, repository, role, trust

ROLE_NAME = "SageMakerJobRole"
MANAGED, INLINE = 6144, 10240
"""Characters that a managed policy may have, and all inline policies of a role (IAM's quotas)."""


def documents(needs: Needs, role_name: str = ROLE_NAME) -> dict[str, Document]:
    """The policies by what they are for; `repository` where images are another account's."""
    found = {
        "trust": trust(needs),
        "role": role(needs),
        "caller": caller(needs, role_name),
    }
    return found | ({"repository": repository(needs, role_name)} if needs.foreign() else {})


def parts(document: Document) -> list[Document]:
    """A policy as few that each fit into a managed one. Raises UsageError for a statement that
    alone does not."""
    found: list[list[Document]] = [[]]
    for statement in document["Statement"]:
        _refuse_longer(statement, MANAGED - len('{"Version":"2012-10-17","Statement":[]}'))
        if _length({**document, "Statement": [*found[-1], statement]}) > MANAGED:
            found.append([])
        found[-1].append(statement)
    return [{**document, "Statement": statements} for statements in found]


def _length(document: Document) -> int:
    """As IAM counts: without white space."""
    return len(json.dumps(document, separators=(",", ":")))


def _refuse_longer(document: Document, limit: int) -> None:
    if _length(document) > limit:
        raise UsageError(
            f"A policy of this project would have {_length(document)} characters; IAM takes "
            f"{limit}.",
            hint="Name what many have in common: --input and --output with a shorter prefix, "
            "--repository with '*' at its end.",
        )


def _numbered(name: str, document: Document) -> dict[str, Document]:
    """`name`, `name2` … to the parts of a policy."""
    found = enumerate(parts(document), 1)
    return {name if number == 1 else f"{name}{number}": part for number, part in found}


def _name_and_path(role: str) -> tuple[str, str]:
    """A role's name and, of an ARN, the path before it: `/`, `/team/`."""
    path, _, name = role.partition(":role/")[2].rpartition("/")
    return (name or role), f"/{path}/" if path else "/"


def cloudformation(needs: Needs, role_name: str = ROLE_NAME) -> dict[str, Any]:
    """A template of the role and of managed policies for whoever launches jobs."""
    found = documents(needs, role_name)
    _refuse_longer(found["role"], INLINE)
    launchers = _numbered("LauncherPolicy", found["caller"])
    name, path = _name_and_path(role_name)
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "The role of SageMaker jobs, and what whoever launches them may do",
        "Resources": {
            "JobRole": {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "RoleName": name,
                    "Path": path,
                    "AssumeRolePolicyDocument": found["trust"],
                    "Policies": [{"PolicyName": "jobs", "PolicyDocument": found["role"]}],
                },
            },
            **{
                key: {
                    "Type": "AWS::IAM::ManagedPolicy",
                    "Properties": {
                        "Description": f"Launches SageMaker jobs with the role {name}",
                        "PolicyDocument": document,
                    },
                }
                for key, document in launchers.items()
            },
        },
        "Outputs": {
            "JobRoleArn": {"Value": {"Fn::GetAtt": ["JobRole", "Arn"]}},
            **{f"{key}Arn": {"Value": {"Ref": key}} for key in launchers},
        },
    }


def terraform(needs: Needs, role_name: str = ROLE_NAME) -> dict[str, Any]:
    """The same in Terraform's JSON syntax: a file whose name ends in .tf.json."""
    found = documents(needs, role_name)
    _refuse_longer(found["role"], INLINE)
    launchers = _numbered("launcher", found["caller"])
    name, path = _name_and_path(role_name)
    return {
        "resource": {
            "aws_iam_role": {
                "job": {
                    "name": name,
                    "path": path,
                    "assume_role_policy": _text(found["trust"]),
                },
            },
            "aws_iam_role_policy": {
                "job": {
                    "name": "jobs",
                    "role": "${aws_iam_role.job.id}",
                    "policy": _text(found["role"]),
                },
            },
            "aws_iam_policy": {
                key: {
                    "name": f"{name}{key.capitalize()}",
                    "description": f"Launches SageMaker jobs with the role {name}",
                    "policy": _text(document),
                }
                for key, document in launchers.items()
            },
        },
        "output": {
            "job_role_arn": {"value": "${aws_iam_role.job.arn}"},
            **{
                f"{key}_policy_arn": {"value": f"${{aws_iam_policy.{key}.arn}}"}
                for key in launchers
            },
        },
    }


def _text(document: Document) -> str:
    """A policy as Terraform has it: a text, in which `${` would begin an expression."""
    return json.dumps(document).replace("${", "$${")
