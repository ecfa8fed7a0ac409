"""doctor's rules: from facts to findings, without a machine or an account."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sagedock.engine.facts import EngineFacts
from sagedock.project.config import Config, Template
from sagedock.project.doctor import aws_rules, machine_rules
from sagedock.project.doctor.account import wanted_instances
from sagedock.project.doctor.facts import (
    Bucket,
    Clients,
    Disk,
    Emulation,
    Identity,
    Images,
    Probe,
    Proxies,
    Proxy,
    Quotas,
    Registry,
    Role,
    Seen,
    Trust,
    Versions,
    Wanted,
)

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
GB = 1_000_000_000
ACCOUNT = "123456789012"


def levels(findings):
    """`check: level` of each, in order."""
    return [f"{finding.check}: {finding.level}" for finding in findings]


def only(findings):
    """The one finding there is."""
    (found,) = list(findings)
    return found


ENGINE = EngineFacts(
    version="27.3.1", api_version="1.47", driver="overlay2", system="Debian 12",
    architecture="x86_64", cpus=4, memory=8 * GB, root="/var/lib/docker", rootless=False,
    ahead=0.1, proxy="",
)  # fmt: skip


def test_an_engine_as_it_should_be():
    assert levels(machine_rules.engine(ENGINE)) == [
        "engine: ok", "storage driver: ok", "memory: ok", "engine clock: ok",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "finding", "words"),
    [
        ({"version": "19.03.8"}, "engine: warning", "Docker 19.03.8"),
        ({"driver": "vfs"}, "storage driver: warning", "copies every layer whole"),
        ({"driver": "devicemapper"}, "storage driver: warning", "no longer maintained"),
        ({"memory": GB}, "memory: warning", "1.0 GB"),
        ({"ahead": -45.0}, "engine clock: warning", "45 s behind ours"),
        ({"ahead": 400.0}, "engine clock: failure", "400 s ahead of ours"),
    ],
)
def test_an_engine_with_one_fault(change, finding, words):
    found = list(machine_rules.engine(replace(ENGINE, **change)))
    bad = only(item for item in found if item.level != "ok")
    assert (f"{bad.check}: {bad.level}", words in bad.found) == (finding, True)
    assert bad.remedy


@pytest.mark.parametrize(
    ("facts", "level", "words"),
    [
        (Clients(builder="/bin/docker", kind="buildx"), "ok", "builds with buildx"),
        (Clients(builder="/bin/docker", kind="BuildKit"), "ok", "BuildKit inside it"),
        (Clients(builder="/bin/docker", kind="classic builder"), "warning", "only the classic"),
        (Clients(problem="no client", hint="Install one."), "failure", "no client"),
    ],
)
def test_docker_clients(facts, level, words):
    first, second = machine_rules.clients(facts)
    assert (first.level, words in first.found) == (level, True)
    assert second.found == "not there: only the SDKs' own local mode needs it"


@pytest.mark.parametrize(("free", "level"), [(50, "ok"), (9, "warning"), (1, "failure")])
@pytest.mark.parametrize(("what", "remedy"), [("engine", "prune"), ("data", "SAGEDOCK_DATA")])
def test_disks(free, level, what, remedy):
    found = machine_rules.disk(Disk(what=what, path="/there", free=free * GB))
    assert (found.check, found.level) == (f"disk: {what}", level)
    assert (remedy in found.remedy) == (level != "ok")


IMAGES = Images(
    version="1.2", os_image="debian:12", os_id="sha256:1", os_created=NOW - timedelta(days=3),
    ours={"sagedock/training": ("sha256:2", "sha256:2")},
)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "finding", "words"),
    [
        ({}, "", ""),
        ({"os_created": None}, "", ""),
        ({"os_id": None}, "base image: warning", "debian:12 is not there"),
        ({"os_created": NOW - timedelta(days=200)}, "base image: warning", "200 days ago"),
        ({"ours": {"a/b": (None, None)}}, "sagedock's images: warning", "not there: a/b:1.2"),
        ({"ours": {"a/b": ("1", "2")}}, "sagedock's images: warning", "`latest` is another than"),
        ({"stale": ("base",)}, "sagedock's images: warning", "than there are now: base"),
        ({"project": {"churn": None}}, "the project's images: warning", "not there: churn"),
        ({"project": {"churn": "sha256:3"}}, "", ""),
    ],
)  # fmt: skip
def test_images(change, finding, words):
    bad = [item for item in machine_rules.images(replace(IMAGES, **change), NOW)
           if item.level != "ok"]  # fmt: skip
    assert levels(bad) == ([finding] if finding else [])
    assert all(words in item.found and item.remedy for item in bad)


@pytest.mark.parametrize(
    ("machine", "handlers", "wanted", "level"),
    [
        ("x86_64", (), ("linux/amd64",), "ok"),
        ("x86_64", (), ("linux/amd64", "linux/arm64"), "warning"),
        ("x86_64", ("qemu-aarch64",), ("linux/amd64", "linux/arm64"), "ok"),
        ("arm64", (), ("linux/amd64",), "warning"),
        ("aarch64", ("qemu-x86_64",), ("linux/amd64",), "ok"),
        ("x86_64", None, ("linux/amd64",), "ok"),
        ("arm64", None, ("linux/amd64",), "warning"),
    ],
)
def test_emulation(machine, handlers, wanted, level):
    seen = None if handlers is None else frozenset(handlers)
    facts = Emulation(machine=machine, handlers=seen, wanted=frozenset(wanted))
    assert machine_rules.emulation(facts).level == level


@pytest.mark.parametrize(
    ("facts", "expected", "words"),
    [
        (Probe(image=None), ["container: warning"], "no image of ours"),
        (Probe(image="x", capabilities=0xA80425FB, reached=True, address="there"),
         ["capabilities: ok", "bridge: ok"], "there"),
        (Probe(image="x", capabilities=0xFFFFFFFFFF, reached=True),
         ["capabilities: ok", "bridge: ok"], ""),
        (Probe(image="x", capabilities=0xA80425FB & ~(1 << 3) & ~(1 << 7), address="there"),
         ["capabilities: warning", "bridge: warning"], "FOWNER, SETUID"),
    ],
)  # fmt: skip
def test_a_containers_view(facts, expected, words):
    found = list(machine_rules.probe(facts))
    assert levels(found) == expected
    assert words in " ".join(item.found for item in found)


@pytest.mark.parametrize(
    ("facts", "level", "words"),
    [
        (None, "ok", "the system's own"),
        (Trust(variable="V", path="/b", certificates=3), "ok", "/b (V): 3"),
        (Trust(variable="V", path="/b", problem="no certificates"), "failure", "no certificates"),
        (Trust(variable="V", path="/b", certificates=1, expired=("Me",)), "failure", "all 1 have"),
        (Trust(variable="V", path="/b", certificates=9, expired=("Me",)), "warning", "1 of 9"),
        (Trust(variable="V", path="/b", certificates=140, expired=("Me",)), "ok", "140"),
    ],
)
def test_certificates(facts, level, words):
    found = machine_rules.trust(facts)
    assert (found.level, words in found.found) == (level, True)


def test_proxies():
    good, bad = Proxy(variable="P", shown="http://p:1"), Proxy(
        variable="Q", shown="http://q:1", problem="it takes no connections")  # fmt: skip
    assert levels(machine_rules.proxies(Proxies(found=(), no_proxy=""))) == ["proxy: ok"]
    both = Proxies(found=(good, bad), no_proxy="a.example, localhost")
    assert levels(machine_rules.proxies(both)) == ["proxy: ok", "proxy: failure"]
    found = list(machine_rules.proxies(Proxies(found=(good,), no_proxy="a.example")))
    assert "NO_PROXY=localhost,127.0.0.1" in found[1].remedy


def test_boto3_is_needed_for_aws_only():
    facts = Versions(python="3.11", packages={"botocore": "1", "boto3": None})
    assert machine_rules.versions(facts, aws=False).level == "warning"
    assert machine_rules.versions(facts, aws=True).level == "failure"
    whole = Versions(python="3.11", packages={"boto3": "2"})
    assert machine_rules.versions(whole, aws=True).found == "Python 3.11, boto3 2"


# the account

WHO = Identity(
    region="eu-west-1", known_regions=frozenset(("eu-west-1",)), account=ACCOUNT,
    arn="arn:aws:iam::123456789012:user/me", method="sso", seconds_ahead=1.0,
)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "finding", "words"),
    [
        ({}, "", ""),
        ({"expires": NOW + timedelta(hours=5)}, "", ""),
        ({"expires": NOW + timedelta(minutes=9)}, "credentials: warning", "9 minutes more"),
        ({"expires": NOW - timedelta(minutes=9)}, "credentials: warning", "0 minutes more"),
        ({"region": "eu-wets-1"}, "region: warning", "no SageMaker in 'eu-wets-1'"),
        ({"seconds_ahead": -400.0}, "clock: failure", "400 s behind ours"),
        ({"seconds_ahead": 60.0}, "clock: warning", "60 s ahead of ours"),
        ({"seconds_ahead": None}, "", ""),
        ({"arn": "", "problem": "ExpiredToken: x"}, "credentials: failure", "ExpiredToken: x"),
    ],
)
def test_who_asks(change, finding, words):
    found = aws_rules.identity(replace(WHO, **change), NOW)
    bad = [item for item in found if item.level != "ok"]
    assert levels(bad) == ([finding] if finding else [])
    assert all(words in item.found and item.remedy for item in bad)


@pytest.mark.parametrize(
    ("method", "code", "remedy"),
    [
        ("", "", "aws configure"),
        ("env", "ExpiredToken", "too old"),
        ("env", "InvalidClientTokenId", "AWS does not know the key (env)"),
        ("env", "SignatureDoesNotMatch", "see `clock`"),
        ("env", "EndpointConnectionError", "could not be reached"),
    ],
)
def test_why_nobody_knows_who_asks(method, code, remedy):
    facts = replace(WHO, arn="", method=method, code=code, problem="x")
    assert remedy in next(iter(aws_rules.identity(facts, NOW))).remedy


def trust(**statement):
    allow = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": "sagemaker.amazonaws.com"},
    }
    return {"Version": "2012-10-17", "Statement": [{**allow, **statement}]}


def theirs(operator="StringEquals"):
    return {operator: {"aws:SourceAccount": "999999999999"}}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (trust(), ""),
        (trust(Action=["sts:AssumeRole", "sts:SetSourceIdentity"]), ""),
        (trust(Principal={"Service": ["ec2.amazonaws.com", "sagemaker.amazonaws.com"]}), ""),
        (trust(Condition={"StringEquals": {"aws:SourceAccount": ACCOUNT}}), ""),
        (trust(Condition={"StringEquals": {"AWS:SOURCEACCOUNT": [ACCOUNT, "1"]}}), ""),
        ({"Statement": trust()["Statement"][0]}, ""),
        ({"Statement": [*trust(Condition=theirs())["Statement"], *trust()["Statement"]]}, ""),
        (trust(Principal={"Service": "ec2.amazonaws.com"}), "does not let sagemaker.amazonaws.com"),
        (trust(Principal={"AWS": "*"}), "does not let sagemaker"),
        (trust(Principal="*"), "does not let sagemaker"),
        (trust(Effect="Deny"), "does not let sagemaker"),
        (trust(Action="sts:TagSession"), "does not let sagemaker"),
        (trust(Condition=theirs()), "for jobs of the account 999999999999, and this is 1234"),
        ({}, "does not let sagemaker"),
    ],
)
def test_trust_policies(document, words):
    found = aws_rules.untrusting(document, ACCOUNT)
    assert (words in found) if words else not found


def role(**change):
    return Role(seen=Seen(name="Jobs", there=True), account=ACCOUNT, trust=trust(), **change)


@pytest.mark.parametrize(
    ("facts", "expected", "words"),
    [
        (None, ["role: warning"], "none is named"),
        (role(), ["role's trust: ok", "role's permissions: ok"], "Jobs"),
        (role(denied=("s3:PutObject",)), ["role's trust: ok", "role's permissions: failure"],
         "may not: s3:PutObject"),
        (role(unknown="AccessDenied: x"), ["role's trust: ok", "role's permissions: warning"],
         "not looked at: AccessDenied: x"),
        (replace(role(), trust={}), ["role's trust: failure", "role's permissions: ok"], "Jobs"),
        (Role(seen=Seen(name="Jobs", missing=True), account="1"), ["role: failure"], "not there"),
        (Role(seen=Seen(name="Jobs", denied=True, problem="AccessDenied"), account="1"),
         ["role: warning"], "not looked at"),
        (Role(seen=Seen(name="Jobs", problem="Throttling"), account="1"), ["role: failure"],
         "Throttling"),
    ],
)  # fmt: skip
def test_roles(facts, expected, words):
    found = list(aws_rules.role(facts))
    assert levels(found) == expected
    assert words in " ".join(item.found for item in found)


@pytest.mark.parametrize(
    ("facts", "level", "words"),
    [
        (Bucket(seen=Seen(name="b", missing=True), is_made=True), "ok", "the first job makes b"),
        (Bucket(seen=Seen(name="b", there=True), region="eu-west-1"), "ok", "b, in eu-west-1"),
        (Bucket(seen=Seen(name="b", there=True), region="us-east-1"), "failure", "jobs run in eu"),
        (Bucket(seen=Seen(name="b", there=True), unlisted="AccessDenied"), "warning", "listed"),
        (Bucket(seen=Seen(name="b", missing=True)), "failure", "b is not there"),
        (Bucket(seen=Seen(name="b", denied=True, problem="403")), "warning", "not looked at: 403"),
    ],
)
def test_buckets(facts, level, words):
    found = aws_rules.bucket(facts, "eu-west-1")
    assert (found.level, words in found.found) == (level, True)


def test_registries():
    assert only(aws_rules.registry(Registry(problem="AccessDenied"))).level == "failure"
    seen = (Seen(name="a", there=True), Seen(name="b", missing=True), Seen(name="c", denied=True))
    first, second = aws_rules.registry(Registry(repositories=seen))
    assert first.found == (
        "one can log in; repositories: a; `sagedock push` will make b"
    )  # fmt: skip
    assert second.level == "warning"


def test_quotas():
    few = Wanted(instance_type="ml.m5.xlarge", usage="training job", count=2)
    many = Wanted(instance_type="ml.m5.xlarge", usage="endpoint", count=9)
    none = Wanted(instance_type="ml.m5.hueg", usage="training job", count=1)
    known = {few.quota: (2.0, "L-1"), many.quota: (4.0, "L-2")}
    found = list(aws_rules.quotas(Quotas(wanted=(few, many, none), known=known), "eu-west-1"))
    assert [item.level for item in found] == ["ok", "failure", "failure"]
    assert found[0].found == "ml.m5.xlarge for training job usage: 2, 2 asked for"
    assert "--quota-code L-2 --desired-value 9 --region eu-west-1" in found[1].remedy
    assert "no quota 'ml.m5.hueg for training job usage'" in found[2].found
    assert only(aws_rules.quotas(Quotas(wanted=()), "x")).level == "ok"
    assert only(aws_rules.quotas(Quotas(wanted=(few,), problem="x"), "x")).level == "warning"


def test_the_instances_that_a_configuration_asks_for():
    config = Config(
        defaults={
            "train": {"instance-type": "ml.m5.xlarge", "instance-count": 2},
            "serve": {"instance-type": "local"},
            "process": {"image": "x"},
        },
        templates={
            "big": Template(name="big", command="train", options={"instance-count": 5}),
            "gpu": Template(name="gpu", command="train", options={"instance-type": "ml.g5.xlarge"}),
            "host": Template(
                name="host", command="serve", options={"instance-type": "ml.c5.large"}
            ),
        },
    )
    assert {item.quota: item.count for item in wanted_instances(config)} == {
        "ml.m5.xlarge for training job usage": 5,
        "ml.g5.xlarge for training job usage": 2,
        "ml.c5.large for endpoint usage": 1,
    }
