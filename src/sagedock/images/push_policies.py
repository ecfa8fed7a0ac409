"""What is written into ECR, and what somebody else has to write there. Pure.

Source: I3 (pulls across accounts), I5, I6 (lifecycle), ECR's user guide (repository policies).
"""

from __future__ import annotations

import json
from typing import Any

LIFECYCLE: dict[str, Any] = {
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
"""Of a repository that is made here."""

_PULL = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
_PUSH = (
    "ecr:CompleteLayerUpload", "ecr:DescribeImages", "ecr:DescribeRepositories",
    "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
)  # fmt: skip

FOREIGN = (
    "SageMaker pulls from another account's ECR with a role whose policy names that repository, "
    "and where the repository's policy names the role's account (I3)"
)
PERMISSION_HINT = (
    "The caller lacks a permission: `sagedock iam` prints what is needed (pushing: "
    + ", ".join(sorted((*_PULL, *_PUSH, "ecr:GetAuthorizationToken")))
    + "; making a repository: ecr:CreateRepository, ecr:PutLifecyclePolicy)."
)


def for_account(caller: str, partition: str) -> dict[str, Any]:
    """The repository policy by which the account `caller` may push to, and its SageMaker roles may
    pull from, somebody else's repository."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "PushAndPull",
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:{partition}:iam::{caller}:root"},
                "Action": [*_PULL, *_PUSH, "ecr:BatchDeleteImage"],
            }
        ],
    }


def cross_account_hint(
    caller: str, partition: str, owner: str, region: str, name: str, *, missing: bool
) -> str:
    """What the owner of the account `owner` has to do, as commands."""
    where = f"--region {region} --repository-name {name}"
    policy = json.dumps(for_account(caller, partition), separators=(",", ":"))
    made = f"aws ecr create-repository {where}\n" if missing else ""
    return (
        f"No repository is made in another account. Let {owner} run:\n{made}"
        f"aws ecr set-repository-policy {where} --policy-text '{policy}'"
    )
