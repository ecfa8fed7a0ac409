"""Looks at the caller's account: who asks, role, bucket, ECR, quotas. Changes nothing there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sagedock.aws import look
from sagedock.aws.account import Account
from sagedock.project import iam
from sagedock.project.config import Config
from sagedock.project.doctor.facts import (
    Bucket,
    Identity,
    Quotas,
    Registry,
    Role,
    Seen,
    Wanted,
)
from sagedock.project.iam_needs import configured

USAGES = {"train": "training job", "process": "processing job", "transform": "transform job",
          "serve": "endpoint"}  # fmt: skip
"""Commands, and what the quotas of their instances are called by."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is to be looked at: the account, names of role and bucket, what the file says."""

    account: Account
    config: Config
    role: str | None
    bucket: str | None


def identity(account: Account) -> Identity:
    """Who asks, and AWS's clock."""
    regions = frozenset(
        account.boto_session.get_available_regions("sagemaker", partition_name=account.partition)
    )
    found = look.credentials(account)
    if found is None:
        return Identity(
            region=account.region,
            known_regions=regions,
            problem="there are none, or they can't be had",
        )
    answer = look.ask(look.client(account, "sts").get_caller_identity)
    who = answer.document or {}
    return Identity(
        region=account.region,
        known_regions=regions,
        account=who.get("Account", ""),
        arn=who.get("Arn", ""),
        method=found.method,
        expires=found.expires,
        seconds_ahead=answer.seconds_ahead,
        code=answer.code,
        problem=answer.words,
    )


def role(asked: Asked, number: str) -> Role | None:
    """The role's trust policy, and what IAM's simulator says of its permissions."""
    if not asked.role:
        return None
    client = look.client(asked.account, "iam")
    name = asked.role.rpartition("/")[2]
    answer = look.ask(lambda: client.get_role(RoleName=name))
    if answer.document is None:
        return Role(seen=_seen(name, answer), account=number)
    found = answer.document["Role"]
    denied, unknown = _simulated(client, found["Arn"], _needs(asked, number))
    return Role(
        seen=_seen(name, answer),
        account=number,
        trust=found.get("AssumeRolePolicyDocument") or {},
        denied=denied,
        unknown=unknown,
    )


def _needs(asked: Asked, number: str) -> iam.Needs:
    known = configured(asked.config)
    data = (f"s3://{asked.bucket}/",) if asked.bucket else ()
    return iam.Needs(
        **{
            "repositories": ("*",),
            **known,
            "inputs": tuple(dict.fromkeys((*known.get("inputs", ()), *data))),
            "outputs": tuple(dict.fromkeys((*known.get("outputs", ()), *data))),
            "account": number,
            "region": asked.account.region,
        }
    )


def _simulated(client: Any, arn: str, needs: iam.Needs) -> tuple[tuple[str, ...], str]:
    """Actions that the role lacks, and why IAM did not say. What hangs on a condition is left
    out: the simulator would have to be told the call's circumstances."""
    denied: dict[str, None] = {}
    for statement in iam.role(needs)["Statement"]:
        if "Condition" in statement:
            continue
        answer = look.ask(partial(_simulate, client, arn, statement))
        if answer.document is None:
            return (), answer.words
        for row in answer.document["EvaluationResults"]:
            if row["EvalDecision"] != "allowed":
                denied.setdefault(row["EvalActionName"])
    return tuple(denied), ""


def _simulate(client: Any, arn: str, statement: Mapping[str, Any]) -> dict[str, Any]:
    pages = client.get_paginator("simulate_principal_policy").paginate(
        PolicySourceArn=arn,
        ActionNames=statement["Action"],
        ResourceArns=[_example(resource) for resource in statement["Resource"]],
    )
    return {"EvaluationResults": [row for page in pages for row in page["EvaluationResults"]]}


def _example(resource: str) -> str:
    """The simulator takes no patterns: some name in place of `*` at the end."""
    return resource if resource == "*" else resource.replace("*", "sagedock-doctor")


def bucket(asked: Asked, number: str) -> Bucket:
    """The bucket's region, and whether it can be listed: the one that is named, or the one that
    jobs begin with, which has the SDKs' name."""
    name = asked.bucket or f"sagemaker-{asked.account.region}-{number}"
    client = look.client(asked.account, "s3")
    answer = look.ask(lambda: client.head_bucket(Bucket=name))
    seen = _seen(name, answer)
    if answer.document is None:
        return Bucket(seen=seen, is_made=not asked.bucket)
    headers = answer.document["ResponseMetadata"]["HTTPHeaders"]
    listed = look.ask(lambda: client.list_objects_v2(Bucket=name, MaxKeys=1))
    return Bucket(
        seen=seen, region=headers.get("x-amz-bucket-region", ""), unlisted=listed.words
    )  # fmt: skip


def registry(asked: Asked) -> Registry:
    """Whether ECR lets one log in; the repositories of the project's images."""
    client = look.client(asked.account, "ecr")
    answer = look.ask(client.get_authorization_token)
    if answer.document is None:
        return Registry(problem=answer.words)
    names = [image.repository or name for name, image in asked.config.images.items()]
    return Registry(repositories=tuple(_repository(client, name) for name in names))


def _repository(client: Any, name: str) -> Seen:
    return _seen(name, look.ask(lambda: client.describe_repositories(repositoryNames=[name])))


def quotas(asked: Asked) -> Quotas:
    """The quotas of the instances that the configuration asks for."""
    wanted = tuple(wanted_instances(asked.config))
    if not wanted:
        return Quotas(wanted=())
    client = look.client(asked.account, "service-quotas")
    names = {item.quota for item in wanted}
    answer = look.ask(lambda: {"Quotas": _listed(client, names)})
    found = answer.document["Quotas"] if answer.document else {}
    return Quotas(wanted=wanted, known=found, problem=answer.words)


def _listed(client: Any, names: set[str]) -> dict[str, tuple[float, str]]:
    """SageMaker has thousands of quotas, a hundred a page: read until all that matter are seen."""
    found: dict[str, tuple[float, str]] = {}
    pages = client.get_paginator("list_service_quotas").paginate(ServiceCode="sagemaker")
    for page in pages:
        for quota in page["Quotas"]:
            if quota["QuotaName"] in names:
                found[quota["QuotaName"]] = (quota["Value"], quota["QuotaCode"])
        if len(found) == len(names):
            break
    return found


def wanted_instances(config: Config) -> Iterator[Wanted]:
    """What defaults and templates ask for, each type and use once, by the largest count."""
    most: dict[tuple[str, str], int] = {}
    for command, options in _tables(config):
        kind = options.get("instance-type")
        if command in USAGES and isinstance(kind, str) and kind.startswith("ml."):
            count = options.get("instance-count", 1)
            key = (kind, USAGES[command])
            most[key] = max(most.get(key, 0), count if isinstance(count, int) else 1)
    for (kind, usage), count in sorted(most.items()):
        yield Wanted(instance_type=kind, usage=usage, count=count)


def _tables(config: Config) -> Sequence[tuple[str, Mapping[str, Any]]]:
    """A template has the options of its command's table, too."""
    plain = [(command, options) for command, options in config.defaults.items()]
    return plain + [
        (item.command, {**config.defaults.get(item.command, {}), **item.options})
        for item in config.templates.values()
    ]


def _seen(name: str, answer: look.Answer) -> Seen:
    return Seen(
        name=name,
        there=answer.document is not None,
        missing=answer.is_missing,
        denied=answer.is_denied,
        problem=answer.words,
    )
