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
from sagedock.project import iam_extras as extras
from sagedock.store.uri import S3Uri

Document = dict[str, Any]

VERSION = "2012-10-17"
PARTITIONS = {
    "cn-": "aws-cn", "us-gov-": "aws-us-gov", "us-iso-": "aws-iso", "us-isob-": "aws-iso-b",
    "us-isof-": "aws-iso-f", "eu-isoe-": "aws-iso-e", "eusc-": "aws-eusc",
}  # fmt: skip
"""Beginnings of regions to their partitions; of all others it is `aws`."""
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
_LISTS = {
    "training": ("ListTrainingJobs",),
    "processing": ("ListProcessingJobs",),
    "transform": ("ListTransformJobs", "ListModels"),
    "endpoint": ("ListModels", "ListEndpointConfigs", "ListEndpoints"),
}
_INVOKE = ("InvokeEndpoint", "InvokeEndpointAsync", "InvokeEndpointWithResponseStream")
PULL = (
    "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer",
)  # fmt: skip
_PUSH = (
    "ecr:CreateRepository", "ecr:DescribeRepositories", "ecr:DescribeImages",
    "ecr:PutLifecyclePolicy", "ecr:BatchDeleteImage", "ecr:InitiateLayerUpload",
    "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:PutImage",
)  # fmt: skip
_ECR = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/(?P<name>.+)"
)


@dataclass(frozen=True, kw_only=True)
class Index:
    """A repository of CodeArtifact that images are built from."""

    domain: str
    repository: str
    owner: str
    region: str


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a project's jobs touch. `inputs` and `outputs` are s3:// prefixes, `bucket` is where
    uploads and results go by default. `repositories` are names in ECR of this account and region,
    or HOST/NAME of another account's; `pull_through` are prefixes of names whose images ECR fetches
    from another registry. `kms_keys` and `mlflow` are ARNs of keys and tracking servers. Without
    `subnets` and `security_groups` a `vpc` is any. `kinds` of KINDS."""

    account: str
    region: str
    kinds: Sequence[str] = KINDS
    inputs: Sequence[str] = ()
    outputs: Sequence[str] = ()
    repositories: Sequence[str] = ()
    kms_keys: Sequence[str] = field(default_factory=tuple)
    vpc: bool = False
    subnets: Sequence[str] = ()
    security_groups: Sequence[str] = ()
    bucket: str | None = None
    pull_through: Sequence[str] = ()
    experiments: bool = False
    mlflow: Sequence[str] = ()
    indexes: Sequence[Index] = ()

    @property
    def partition(self) -> str:
        """aws, aws-cn, aws-us-gov …, by the region."""
        found = [name for start, name in PARTITIONS.items() if self.region.startswith(start)]
        return found[0] if found else "aws"

    def arn(self, service: str, resource: str, region: str = "", account: str = "") -> str:
        """An ARN of this account and region, or of another one in this partition."""
        place = f"{region or self.region}:{account or self.account}"
        return f"arn:{self.partition}:{service}:{place}:{resource}"

    def role_arn(self, name: str) -> str:
        """The ARN of a role of this account; an ARN as it is."""
        if name.startswith("arn:"):
            return name
        return f"arn:{self.partition}:iam::{self.account}:role/{name}"

    def foreign(self) -> list[str]:
        """ARNs of the repositories of other accounts: those have to let this one pull."""
        ours = f":{self.account}:repository/"
        return [arn for arn in repository_arns(self) if ours not in arn]


def check(needs: Needs) -> None:
    """Raise UsageError for kinds that are none, nothing to pull, or an account that is none."""
    unknown = sorted(set(needs.kinds) - set(KINDS))
    if unknown:
        raise UsageError(f"There is no kind {unknown[0]!r}: expected {', '.join(KINDS)}.")
    if not (needs.repositories or needs.pull_through):
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
        *extras.of_role(needs),
    )


def caller(needs: Needs, role_name: str) -> Document:
    """What whoever launches jobs and pushes images may do."""
    check(needs)
    passed = needs.role_arn(role_name)
    return _document(
        {
            "Sid": "PassRole",
            "Effect": "Allow",
            "Action": "iam:PassRole",
            "Resource": passed,
            "Condition": {"StringEquals": {"iam:PassedToService": _SERVICE}},
        },
        allow("LookAtRole", ["iam:GetRole", "iam:SimulatePrincipalPolicy"], [passed]),
        *_launches(needs),
        allow("List", _listing(needs), ["*"]),
        *_objects(
            "Data", ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"],
            [*needs.inputs, *needs.outputs], needs,
        ),
        *_lists(needs),
        *_bucket(needs),
        allow("Login", ["ecr:GetAuthorizationToken"], ["*"]),
        *([allow("Push", [*PULL, *_PUSH], repository_arns(needs))] if needs.repositories else []),
        allow(
            "ReadLogs",
            ["logs:DescribeLogStreams", "logs:GetLogEvents", "logs:FilterLogEvents"],
            _groups(needs),
        ),
        *extras.of_caller(needs),
    )  # fmt: skip


def repository(needs: Needs, role_name: str) -> Document:
    """What the repositories of another account have to say, so that this one's role may pull."""
    statement = {
        "Sid": "Pull",
        "Effect": "Allow",
        "Principal": {"AWS": needs.role_arn(role_name)},
        "Action": list(PULL),
    }
    return _document(statement)


def _listing(needs: Needs) -> list[str]:
    """Actions that know no resources: what there is, and for `sagedock doctor` the quotas."""
    calls = [f"sagemaker:{call}" for kind in needs.kinds for call in _LISTS[kind]]
    return [*calls, "servicequotas:ListServiceQuotas"]


def _bucket(needs: Needs) -> Iterator[Document]:
    """The bucket itself: made where it is missing, looked at (HeadBucket is ListBucket)."""
    if needs.bucket:
        arn = f"arn:{needs.partition}:s3:::{needs.bucket}"
        yield allow("Bucket", ["s3:CreateBucket", "s3:ListBucket"], [arn])


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
            actions += [f"sagemaker:{call}" for call in ("UpdateEndpoint", *_INVOKE)]
        actions.append("sagemaker:AddTags")
        yield allow(f"Launch{kind.capitalize()}", actions, resources)


def _objects(sid: str, actions: list[str], uris: Iterable[str], needs: Needs) -> Iterator[Document]:
    found = sorted({_object_arn(S3Uri.parse(uri), needs) for uri in uris})
    if found:
        yield allow(sid, actions, found)


def _object_arn(uri: S3Uri, needs: Needs) -> str:
    return f"arn:{needs.partition}:s3:::{uri.bucket}/{uri.key}*"


def _lists(needs: Needs) -> Iterator[Document]:
    """Listing is a matter of the bucket; the prefix is a condition."""
    prefixes: dict[str, set[str]] = {}
    for text in (*needs.inputs, *needs.outputs):
        uri = S3Uri.parse(text)
        prefixes.setdefault(uri.bucket, set()).add(f"{uri.key}*")
    for number, (bucket, keys) in enumerate(sorted(prefixes.items()), 1):
        statement = allow(
            f"List{number}", ["s3:ListBucket"], [f"arn:{needs.partition}:s3:::{bucket}"]
        )
        # All of a bucket may be listed without naming a prefix, too, and looked at (HeadBucket).
        whole = "*" in keys
        condition = {"StringLike": {"s3:prefix": sorted(keys)}}
        yield statement if whole else {**statement, "Condition": condition}


def _images(needs: Needs) -> Iterator[Document]:
    yield allow("Login", ["ecr:GetAuthorizationToken"], ["*"])
    if needs.repositories:
        yield allow("Pull", list(PULL), repository_arns(needs))


def repository_arns(needs: Needs) -> list[str]:
    """The repositories, each once."""
    return sorted({_repository_arn(needs, name) for name in needs.repositories})


def _repository_arn(needs: Needs, name: str) -> str:
    found = _ECR.fullmatch(name)
    if not found:
        return needs.arn("ecr", f"repository/{name}")
    return needs.arn(
        "ecr", f"repository/{found['name']}", region=found["region"], account=found["account"]
    )


def _groups(needs: Needs) -> list[str]:
    names = [_LOGS[kind] for kind in needs.kinds]
    return [needs.arn("logs", f"log-group:{name}{end}") for name in names for end in ("", ":*")]


def _logs(needs: Needs) -> Iterator[Document]:
    actions = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents",
               "logs:DescribeLogStreams"]  # fmt: skip
    yield allow("Logs", actions, _groups(needs))
    namespaces = [_NAMESPACES[kind] for kind in needs.kinds]
    yield {
        **allow("Metrics", ["cloudwatch:PutMetricData"], ["*"]),
        "Condition": {"StringEquals": {"cloudwatch:namespace": namespaces}},
    }


def allow(sid: str, actions: Sequence[str], resources: Sequence[str]) -> Document:
    """A statement; each action once."""
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Action": list(dict.fromkeys(actions)),
        "Resource": list(resources),
    }


def _document(*statements: Mapping[str, Any]) -> Document:
    return {"Version": VERSION, "Statement": [dict(statement) for statement in statements]}
