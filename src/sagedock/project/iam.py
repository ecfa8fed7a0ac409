"""Least-privilege policies: what the role of a job may do, who may take that role, and what whoever
launches jobs may do. Pure.

Source: the contract's table of roles (section I; the developer guide's sagemaker-roles), and the
actions' own resource types and conditions in the Service Authorization Reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sagedock.errors import UsageError
from sagedock.store.uri import S3Uri

Document = dict[str, Any]

VERSION = "2012-10-17"
PARTITIONS = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
KINDS = ("training", "processing", "transform", "endpoint")

_SERVICE = "sagemaker.amazonaws.com"
_LOGS = {
    "training": "/aws/sagemaker/TrainingJobs",
    "processing": "/aws/sagemaker/ProcessingJobs",
    "transform": "/aws/sagemaker/TransformJobs",
    "endpoint": "/aws/sagemaker/Endpoints/*",
}
_NAMESPACES = {
    "training": "/aws/sagemaker/TrainingJobs",
    "processing": "/aws/sagemaker/ProcessingJobs",
    "transform": "/aws/sagemaker/TransformJobs",
    "endpoint": "/aws/sagemaker/Endpoints",
}
_CALLS = {
    "training": ("TrainingJob", "training-job"),
    "processing": ("ProcessingJob", "processing-job"),
    "transform": ("TransformJob", "transform-job"),
}
_HOSTING = (("Model", "model"), ("EndpointConfig", "endpoint-config"), ("Endpoint", "endpoint"))
_PULL = (
    "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer",
)  # fmt: skip
_PUSH = (
    "ecr:CreateRepository", "ecr:DescribeRepositories", "ecr:DescribeImages",
    "ecr:PutLifecyclePolicy", "ecr:BatchDeleteImage", "ecr:InitiateLayerUpload",
    "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:PutImage",
)  # fmt: skip
_VPC = (
    "ec2:CreateNetworkInterface", "ec2:CreateNetworkInterfacePermission",
    "ec2:DeleteNetworkInterface", "ec2:DeleteNetworkInterfacePermission",
)  # fmt: skip
_VPC_LOOKS = (
    "ec2:DescribeDhcpOptions", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets", "ec2:DescribeVpcs",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a project's jobs touch. `inputs` and `outputs` are s3:// prefixes, `repositories` names
    in ECR of this account and region, `kms_keys` ARNs. `kinds` of KINDS."""

    account: str
    region: str
    kinds: Sequence[str] = KINDS
    inputs: Sequence[str] = ()
    outputs: Sequence[str] = ()
    repositories: Sequence[str] = ()
    kms_keys: Sequence[str] = field(default_factory=tuple)
    vpc: bool = False

    @property
    def partition(self) -> str:
        """aws, aws-cn or aws-us-gov, by the region."""
        found = [name for start, name in PARTITIONS.items() if self.region.startswith(start)]
        return found[0] if found else "aws"

    def arn(self, service: str, resource: str) -> str:
        """An ARN of this account and region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"


def check(needs: Needs) -> None:
    """Raise UsageError for kinds that are none, nothing to pull, or an account that is none."""
    unknown = sorted(set(needs.kinds) - set(KINDS))
    if unknown:
        raise UsageError(f"There is no kind {unknown[0]!r}: expected {', '.join(KINDS)}.")
    if not needs.repositories:
        raise UsageError(
            "No repository is named: a role that may pull no image can run no job.",
            hint="Say which: --repository NAME, once for each.",
        )
    if not re.fullmatch(r"[0-9]{12}", needs.account):
        raise UsageError(f"{needs.account!r} is no account: expected its 12 digits.")


def trust(needs: Needs) -> Document:
    """Who may take the role: SageMaker, for this account and nobody's confused deputy."""
    return _document(
        {
            "Sid": "SageMaker",
            "Effect": "Allow",
            "Principal": {"Service": _SERVICE},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": needs.account}},
        }
    )


def role(needs: Needs) -> Document:
    """What jobs and endpoints may do."""
    check(needs)
    return _document(
        *_objects("Inputs", ["s3:GetObject"], [*needs.inputs, *needs.outputs], needs),
        *_objects("Outputs", ["s3:PutObject", "s3:AbortMultipartUpload"], needs.outputs, needs),
        *_lists(needs),
        *_images(needs),
        *_logs(needs),
        *_keys(needs),
        *_network(needs),
    )


def caller(needs: Needs, role_name: str) -> Document:
    """What whoever launches jobs and pushes images may do."""
    check(needs)
    passed = f"arn:{needs.partition}:iam::{needs.account}:role/{role_name}"
    return _document(
        {
            "Sid": "PassRole",
            "Effect": "Allow",
            "Action": "iam:PassRole",
            "Resource": passed,
            "Condition": {"StringEquals": {"iam:PassedToService": _SERVICE}},
        },
        *_launches(needs),
        *_objects(
            "Data", ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"],
            [*needs.inputs, *needs.outputs], needs,
        ),
        *_lists(needs),
        _allow("Login", ["ecr:GetAuthorizationToken"], ["*"]),
        _allow("Push", [*_PULL, *_PUSH], _repositories(needs)),
        _allow("ReadLogs", ["logs:DescribeLogStreams", "logs:GetLogEvents"], _groups(needs)),
    )  # fmt: skip


def _launches(needs: Needs) -> Iterator[Document]:
    for kind in needs.kinds:
        names = [_CALLS[kind]] if kind in _CALLS else []
        if kind in {"transform", "endpoint"}:
            names += _HOSTING[:1]
        if kind == "endpoint":
            names += _HOSTING[1:]
        actions, resources = [], []
        for call, resource in names:
            verbs = ("Create", "Describe", "Stop" if call.endswith("Job") else "Delete")
            actions += [f"sagemaker:{verb}{call}" for verb in verbs]
            resources.append(needs.arn("sagemaker", f"{resource}/*"))
        if kind == "endpoint":
            actions += ["sagemaker:UpdateEndpoint", "sagemaker:InvokeEndpoint"]
        actions.append("sagemaker:AddTags")
        yield _allow(f"Launch{kind.capitalize()}", actions, resources)


def _objects(sid: str, actions: list[str], uris: Iterable[str], needs: Needs) -> Iterator[Document]:
    found = sorted({_object_arn(S3Uri.parse(uri), needs) for uri in uris})
    if found:
        yield _allow(sid, actions, found)


def _object_arn(uri: S3Uri, needs: Needs) -> str:
    return f"arn:{needs.partition}:s3:::{uri.bucket}/{uri.key}*"


def _lists(needs: Needs) -> Iterator[Document]:
    """Listing is a matter of the bucket; the prefix is a condition."""
    prefixes: dict[str, set[str]] = {}
    for text in (*needs.inputs, *needs.outputs):
        uri = S3Uri.parse(text)
        prefixes.setdefault(uri.bucket, set()).add(f"{uri.key}*")
    for number, (bucket, keys) in enumerate(sorted(prefixes.items()), 1):
        arn = f"arn:{needs.partition}:s3:::{bucket}"
        yield {
            **_allow(f"List{number}", ["s3:ListBucket"], [arn]),
            "Condition": {"StringLike": {"s3:prefix": sorted(keys)}},
        }


def _images(needs: Needs) -> Iterator[Document]:
    yield _allow("Login", ["ecr:GetAuthorizationToken"], ["*"])
    yield _allow("Pull", list(_PULL), _repositories(needs))


def _repositories(needs: Needs) -> list[str]:
    return [needs.arn("ecr", f"repository/{name}") for name in sorted(set(needs.repositories))]


def _groups(needs: Needs) -> list[str]:
    names = [_LOGS[kind] for kind in needs.kinds]
    return [needs.arn("logs", f"log-group:{name}{end}") for name in names for end in ("", ":*")]


def _logs(needs: Needs) -> Iterator[Document]:
    actions = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents",
               "logs:DescribeLogStreams"]  # fmt: skip
    yield _allow("Logs", actions, _groups(needs))
    namespaces = [_NAMESPACES[kind] for kind in needs.kinds]
    yield {
        **_allow("Metrics", ["cloudwatch:PutMetricData"], ["*"]),
        "Condition": {"StringEquals": {"cloudwatch:namespace": namespaces}},
    }


def _keys(needs: Needs) -> Iterator[Document]:
    if needs.kms_keys:
        actions = ["kms:CreateGrant", "kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"]
        yield _allow("Keys", actions, sorted(needs.kms_keys))


def _network(needs: Needs) -> Iterator[Document]:
    if needs.vpc:
        yield _allow("Network", list(_VPC), [needs.arn("ec2", "*")])
        yield _allow("NetworkLooks", list(_VPC_LOOKS), ["*"])


def _allow(sid: str, actions: Sequence[str], resources: Sequence[str]) -> Document:
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Action": list(dict.fromkeys(actions)),
        "Resource": list(resources),
    }


def _document(*statements: Mapping[str, Any]) -> Document:
    return {"Version": VERSION, "Statement": [dict(statement) for statement in statements]}
