"""Statements that only some projects need: keys, a VPC, pull-through, experiments, MLflow,
CodeArtifact. Pure.

Source: the developer guide's sagemaker-roles, ECR's and CodeArtifact's user guides, and the
actions' own resource types in the Service Authorization Reference.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sagedock.project.iam import Needs

Document = dict[str, Any]

_PULL_THROUGH = (
    "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer",
    "ecr:CreateRepository",
)  # fmt: skip
_VPC = (
    "ec2:CreateNetworkInterface", "ec2:CreateNetworkInterfacePermission",
    "ec2:DeleteNetworkInterface", "ec2:DeleteNetworkInterfacePermission",
)  # fmt: skip
_VPC_LOOKS = (
    "ec2:DescribeDhcpOptions", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets", "ec2:DescribeVpcs",
)  # fmt: skip
_RUNS = (
    "sagemaker:CreateTrialComponent", "sagemaker:DescribeTrialComponent",
    "sagemaker:UpdateTrialComponent",
)  # fmt: skip
_EXPERIMENTS = (
    "sagemaker:CreateTrial", "sagemaker:DescribeTrial", "sagemaker:AssociateTrialComponent",
    "sagemaker:DescribeExperiment", *_RUNS, "sagemaker:AddTags",
)  # fmt: skip
_MLFLOW = tuple(
    f"sagemaker-mlflow:{call}"
    for call in (
        "CreateExperiment", "GetExperiment", "GetExperimentByName", "SearchExperiments",
        "CreateRun", "GetRun", "UpdateRun", "SearchRuns", "LogBatch", "LogInputs", "LogMetric",
        "LogModel", "LogParam", "SetTag", "SetExperimentTag",
    )
)  # fmt: skip


def of_role(needs: Needs) -> Iterator[Document]:
    """What jobs may do besides."""
    yield from _keys(needs)
    yield from _network(needs)
    yield from _pull_through(needs)
    if needs.experiments:
        parts = [needs.arn("sagemaker", "experiment-trial-component/*")]
        yield _allow("Runs", _RUNS, parts)
        jobs = [needs.arn("sagemaker", "training-job/*")]
        yield _allow("Metrics2", ("sagemaker:BatchPutMetrics",), parts + jobs)
    yield from _mlflow(needs)


def of_caller(needs: Needs) -> Iterator[Document]:
    """What whoever launches may do besides."""
    yield from _keys(needs)
    yield from _pull_through(needs)
    if needs.pull_through:
        yield _allow("PullThroughRules", ("ecr:DescribePullThroughCacheRules",), ["*"])
    if needs.experiments:
        kinds = ("experiment", "experiment-trial", "experiment-trial-component")
        arns = [needs.arn("sagemaker", f"{kind}/*") for kind in kinds]
        yield _allow("Experiments", _EXPERIMENTS, arns)
    yield from _mlflow(needs)
    yield from _indexes(needs)


def _keys(needs: Needs) -> Iterator[Document]:
    """Grants only for AWS's own services, which use them for disks."""
    if not needs.kms_keys:
        return
    actions = ("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey")
    yield _allow("Keys", actions, sorted(needs.kms_keys))
    yield {
        **_allow("Grants", ("kms:CreateGrant",), sorted(needs.kms_keys)),
        "Condition": {"Bool": {"kms:GrantIsForAWSResource": "true"}},
    }


def _network(needs: Needs) -> Iterator[Document]:
    if not needs.vpc:
        return
    parts = [f"subnet/{name}" for name in needs.subnets or ("*",)]
    parts += [f"security-group/{name}" for name in needs.security_groups or ("*",)]
    interfaces = [needs.arn("ec2", part) for part in ("network-interface/*", *parts)]
    yield _allow("Network", _VPC, interfaces)
    yield _allow("NetworkLooks", _VPC_LOOKS, ["*"])


def _pull_through(needs: Needs) -> Iterator[Document]:
    """The first pull makes the repository and fetches the image. Fetching knows no resources in
    the Service Authorization Reference; what it fetches to is limited by the rest."""
    if not needs.pull_through:
        return
    arns = [needs.arn("ecr", f"repository/{prefix.strip('/')}/*") for prefix in needs.pull_through]
    yield _allow("PullThrough", _PULL_THROUGH, arns)
    yield _allow("PullThroughImport", ("ecr:BatchImportUpstreamImage",), ["*"])


def _mlflow(needs: Needs) -> Iterator[Document]:
    if needs.mlflow:
        yield _allow("MLflow", _MLFLOW, sorted(needs.mlflow))


def _indexes(needs: Needs) -> Iterator[Document]:
    if not needs.indexes:
        return
    domains, repositories = set(), set()
    for item in needs.indexes:
        place = {"region": item.region, "account": item.owner}
        domains.add(needs.arn("codeartifact", f"domain/{item.domain}", **place))
        name = f"repository/{item.domain}/{item.repository}"
        repositories.add(needs.arn("codeartifact", name, **place))
    yield _allow("IndexToken", ("codeartifact:GetAuthorizationToken",), sorted(domains))
    actions = ("codeartifact:GetRepositoryEndpoint", "codeartifact:ReadFromRepository")
    yield _allow("Index", actions, sorted(repositories))
    yield {
        **_allow("IndexBearer", ("sts:GetServiceBearerToken",), ["*"]),
        "Condition": {"StringEquals": {"sts:AWSServiceName": "codeartifact.amazonaws.com"}},
    }


def _allow(sid: str, actions: tuple[str, ...], resources: list[str]) -> Document:
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": resources}
