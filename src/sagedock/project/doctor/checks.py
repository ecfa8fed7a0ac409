"""Which checks there are: collectors and rules brought together, in the order they are shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sagedock.aws.account import Account
from sagedock.engine.docker import Engine
from sagedock.engine.facts import facts
from sagedock.errors import SagedockError, UsageError
from sagedock.images.plan import repository
from sagedock.project.config import Config
from sagedock.project.doctor import (
    account as accounts,
)
from sagedock.project.doctor import (
    aws_rules,
    machine,
    machine_rules,
    probe,
    trust,
)
from sagedock.project.doctor.facts import Identity
from sagedock.project.doctor.findings import Finding, failure, ok, warning
from sagedock.project.doctor.rounds import Check, run

PROBED = tuple(f"{repository(name)}:latest" for name in ("processing", "serving", "training"))


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is to be examined. `problem` is why the configuration can't be read. `aws`: the account,
    too, in `region` and with `profile` or as boto3 finds them."""

    version: str
    variables: Mapping[str, str]
    config: Config
    data: Path
    problem: UsageError | None = None
    aws: bool = False
    region: str | None = None
    profile: str | None = None
    role: str | None = None
    bucket: str | None = None


def examine(subject: Subject) -> list[Finding]:
    """Every finding about this machine, and with `aws` about the account."""
    identities: list[Identity] = []
    account = _Account(subject) if subject.aws else None
    checks = list(_machine(subject))
    if account:
        checks.append(Check(name="credentials", find=lambda: _identity(account, identities)))
    found = run(checks)
    if account and identities and identities[0].arn:
        found += run(list(_account(subject, account.opened, identities[0])))
    return found


def _machine(subject: Subject) -> Iterator[Check]:
    environ = subject.variables
    yield Check(name="configuration", find=lambda: _configuration(subject))
    yield Check(
        name="versions",
        find=lambda: [machine_rules.versions(machine.versions(), aws=subject.aws)],
    )
    yield Check(name="engine", find=lambda: _engine(subject))
    yield Check(name="container", find=_container, seconds=40)
    yield Check(name="docker client", find=lambda: machine_rules.clients(machine.clients(environ)))
    yield Check(
        name="emulation", find=lambda: [machine_rules.emulation(machine.emulation(subject.config))]
    )
    yield Check(name="certificates", find=lambda: _certificates(environ))
    yield Check(name="proxy", find=lambda: machine_rules.proxies(trust.proxies(environ)))


def _configuration(subject: Subject) -> Iterator[Finding]:
    check, config = "configuration", subject.config
    if subject.problem:
        yield failure(check, subject.problem.message, subject.problem.hint or "Mend the file.")
    elif config.ignored:
        yield warning(
            check,
            f"{config.file} is read, [tool.sagedock] in {config.ignored} is not",
            "Keep one of them.",
        )
    else:
        yield ok(check, str(config.file) if config.file else "none: flags and environment only")


def _engine(subject: Subject) -> Iterator[Finding]:
    try:
        engine = Engine.connect()
    except SagedockError as error:
        yield failure("engine", error.message, error.hint)
        yield from map(machine_rules.disk, machine.disks(subject.data, None))
        return
    with closing(engine):
        known = facts(engine)
        yield from machine_rules.engine(known)
        host = subject.variables.get("DOCKER_HOST", "")
        yield from map(machine_rules.disk, machine.disks(subject.data, known.root, host))
        seen = machine.images(engine, subject.config, subject.version, subject.variables)
        yield from machine_rules.images(seen)


def _container() -> Iterator[Finding]:
    try:
        engine = Engine.connect()
    except SagedockError:
        return  # told by `engine`
    with closing(engine):
        yield from machine_rules.probe(probe.look(engine, PROBED))


def _certificates(environ: Mapping[str, str]) -> Iterator[Finding]:
    found = trust.bundles(environ)
    yield from map(machine_rules.trust, found or (None,))


# the account


class _Account:
    """The account, opened where it is first asked for: without boto3 or a region it can't be."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self.opened: Account

    def open(self) -> Account:
        """Raises UsageError."""
        self.opened = Account(self._subject.region, self._subject.profile)
        return self.opened


def _identity(account: _Account, keep: list[Identity]) -> Iterator[Finding]:
    found = accounts.identity(account.open())
    keep.append(found)
    yield from aws_rules.identity(found)


def _account(subject: Subject, account: Account, who: Identity) -> Iterator[Check]:
    asked = accounts.Asked(
        account=account, config=subject.config, role=subject.role, bucket=subject.bucket
    )
    region = account.region
    yield Check(name="role", find=lambda: aws_rules.role(accounts.role(asked, who.account)))
    yield Check(
        name="bucket",
        find=lambda: [aws_rules.bucket(accounts.bucket(asked, who.account), region)],
    )
    yield Check(name="ECR", find=lambda: aws_rules.registry(accounts.registry(asked)))
    yield Check(
        name="quotas", find=lambda: aws_rules.quotas(accounts.quotas(asked), region), seconds=60
    )
