"""The account's facts, judged. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sagedock.project.doctor.facts import Bucket, Identity, Quotas, Registry, Role, Seen, Wanted
from sagedock.project.doctor.findings import Finding, failure, ok, warning
from sagedock.project.doctor.machine_rules import aws_clock

SERVICE = "sagemaker.amazonaws.com"
SOON = timedelta(minutes=30)
_CLOCK_CODES = frozenset(
    (
        "SignatureDoesNotMatch",
        "RequestExpired",
        "RequestTimeTooSkewed",
        "InvalidSignatureException",
        "AuthFailure",
    )
)
_OLD_CODES = frozenset(("ExpiredToken", "ExpiredTokenException"))
_UNKNOWN_CODES = frozenset(
    ("InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId")
)
_POLICIES = "`sagedock iam` prints the policies"


def identity(facts: Identity, now: datetime | None = None) -> Iterator[Finding]:
    """Who asks, in what region, at what time."""
    yield _credentials(facts, now or datetime.now(UTC))
    if facts.region in facts.known_regions:
        yield ok("region", facts.region)
    else:
        yield warning(
            "region",
            f"botocore knows no SageMaker in {facts.region!r}",
            "Look for a slip: --region, AWS_REGION, `region` in sagedock.toml; or update boto3.",
        )
    if facts.seconds_ahead is not None:
        yield aws_clock(facts.seconds_ahead)


def _credentials(facts: Identity, now: datetime) -> Finding:
    if not facts.arn:
        return failure("credentials", facts.problem, _mend(facts))
    found = f"{facts.arn} ({facts.method})"
    if facts.expires is None:
        return ok("credentials", found)
    left = facts.expires - now
    found += f", until {facts.expires.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    if left < SOON:
        minutes = max(int(left.total_seconds() // 60), 0)
        return warning(
            "credentials",
            f"{found}: {minutes} minutes more",
            "Get new ones before a long push: aws sso login",
        )
    return ok("credentials", found)


def _mend(facts: Identity) -> str:
    if not facts.method:
        return "Set credentials as for the AWS CLI: aws configure, aws sso login, AWS_PROFILE."
    if facts.code in _OLD_CODES:
        return "They are too old: get new ones (aws sso login, or a new session token)."
    if facts.code in _UNKNOWN_CODES:
        return f"AWS does not know the key ({facts.method}): look for a slip, or make a new one."
    if facts.code in _CLOCK_CODES:
        return "The secret key is wrong, or this machine's clock: see `clock`."
    return "AWS could not be reached: see `proxy` and `certificates`, and the network."


def role(facts: Role | None) -> Iterator[Finding]:
    """The role is there, SageMaker may take it, and it may do what jobs do."""
    if facts is None:
        yield warning(
            "role",
            "none is named",
            f"Say which jobs shall have: `role` in sagedock.toml, or --role. {_POLICIES} of one.",
        )
        return
    name = facts.seen.name
    if not facts.seen.there:
        yield _unseen(
            "role",
            facts.seen,
            "iam:GetRole",
            f"Make it: {_POLICIES} (--format cloudformation, --format terraform).",
        )
    else:
        yield _trust(name, facts.trust, facts.account)
        yield _permissions(name, facts)


def _trust(name: str, document: Mapping[str, Any], account: str) -> Finding:
    problem = untrusting(document, account)
    if problem:
        return failure(
            "role's trust",
            f"{name}: {problem}",
            f"Change its trust policy: {_POLICIES} (--for trust).",
        )
    return ok("role's trust", f"SageMaker may take {name}")


def untrusting(document: Mapping[str, Any], account: str) -> str:
    """Why SageMaker can't take a role with this trust policy; nothing if it can."""
    allowing = [
        item for item in _several(document.get("Statement"))
        if item.get("Effect") == "Allow" and _may_assume(item) and _is_for_service(item)
    ]  # fmt: skip
    if not allowing:
        return f"its trust policy does not let {SERVICE} assume it"
    others = [other for item in allowing if (other := _other_account(item, account))]
    if len(others) == len(allowing):
        return f"its trust policy is for jobs of the account {others[0]}, and this is {account}"
    return ""


def _may_assume(statement: Mapping[str, Any]) -> bool:
    actions = {action.lower() for action in _several(statement.get("Action"))}
    return bool(actions & {"sts:assumerole", "sts:*", "*"})


def _is_for_service(statement: Mapping[str, Any]) -> bool:
    principal = statement.get("Principal")
    if not isinstance(principal, Mapping):
        return False
    return SERVICE in _several(principal.get("Service"))


def _other_account(statement: Mapping[str, Any], account: str) -> str:
    """The account that a condition asks for, where that is another one."""
    for operator, values in (statement.get("Condition") or {}).items():
        wanted = {key.lower(): value for key, value in values.items()}.get("aws:sourceaccount")
        if wanted and operator.startswith("String") and account not in _several(wanted):
            return str(_several(wanted)[0])
    return ""


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _permissions(name: str, facts: Role) -> Finding:
    if facts.denied:
        return failure(
            "role's permissions",
            f"{name} may not: {', '.join(facts.denied)}",
            f"Attach what is missing: {_POLICIES} (--for role).",
        )
    if facts.unknown:
        return warning(
            "role's permissions",
            f"not looked at: {facts.unknown}",
            "Ask for iam:SimulatePrincipalPolicy, or compare by hand with "
            "`sagedock iam --for role`.",
        )
    return ok("role's permissions", f"IAM says that {name} may do what jobs do")


def bucket(facts: Bucket, region: str) -> Finding:
    """The bucket is there, in the jobs' region, and can be listed."""
    check, name = "bucket", facts.seen.name
    if facts.seen.missing and facts.is_made:
        return ok(check, f"none is named: the first job makes {name}")
    if not facts.seen.there:
        return _unseen(
            check, facts.seen, "s3:ListBucket", f"Make it: aws s3 mb s3://{name} --region {region}"
        )
    if facts.region and facts.region != region:
        return failure(
            check,
            f"{name} is in {facts.region}, jobs run in {region}",
            "SageMaker wants both in one region: name another bucket, or run there.",
        )
    if facts.unlisted:
        return warning(
            check,
            f"{name} is there, but can't be listed: {facts.unlisted}",
            f"Ask for s3:ListBucket: {_POLICIES} (--for caller).",
        )
    return ok(check, f"{name}, in {region}")


def registry(facts: Registry) -> Iterator[Finding]:
    """ECR lets one log in; the project's repositories."""
    if facts.problem:
        yield failure(
            "ECR",
            f"no login: {facts.problem}",
            f"Ask for ecr:GetAuthorizationToken: {_POLICIES} (--for caller).",
        )
        return
    missing = [seen.name for seen in facts.repositories if seen.missing]
    there = [seen.name for seen in facts.repositories if seen.there]
    words = ["one can log in"]
    words += [f"repositories: {', '.join(there)}"] if there else []
    words += [f"`sagedock push` will make {', '.join(missing)}"] if missing else []
    yield ok("ECR", "; ".join(words))
    for seen in facts.repositories:
        if not (seen.there or seen.missing):
            yield _unseen("ECR", seen, "ecr:DescribeRepositories", "")


def _unseen(check: str, seen: Seen, permission: str, make: str) -> Finding:
    if seen.missing:
        return failure(check, f"{seen.name} is not there", make)
    if seen.denied:
        return warning(
            check,
            f"{seen.name}: not looked at: {seen.problem}",
            f"Ask for {permission}: {_POLICIES} (--for caller).",
        )
    return failure(check, f"{seen.name}: {seen.problem}", "See `credentials` and the network.")


def quotas(facts: Quotas, region: str) -> Iterator[Finding]:
    """As many instances as the configuration asks for may run."""
    check = "quotas"
    if not facts.wanted:
        yield ok(check, "no instance types are configured")
    elif facts.problem:
        yield warning(
            check,
            f"not looked at: {facts.problem}",
            "Ask for servicequotas:ListServiceQuotas, or look in the console: Service "
            "Quotas, Amazon SageMaker.",
        )
    else:
        for wanted in facts.wanted:
            yield _quota(check, wanted, facts.known.get(wanted.quota), region)


def _quota(check: str, wanted: Wanted, known: tuple[float, str] | None, region: str) -> Finding:
    if known is None:
        return failure(
            check,
            f"there is no quota {wanted.quota!r} in {region}",
            "Look for a slip in the instance type, or choose one that SageMaker has for this use.",
        )
    value, code = known
    found = f"{wanted.quota}: {value:g}, {wanted.count} asked for"
    if value >= wanted.count:
        return ok(check, found)
    return failure(
        check,
        found,
        "Ask for more: aws service-quotas request-service-quota-increase "
        f"--service-code sagemaker --quota-code {code} --desired-value {wanted.count} "
        f"--region {region}",
    )
