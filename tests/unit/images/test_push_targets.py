"""Where a push goes, by what was typed; and what another account has to allow."""

import json

import pytest

from sagedock.errors import UsageError
from sagedock.images import naming, push_policies
from sagedock.images.naming import EcrHost, Target
from sagedock.images.push_target import Where, where

ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
CHINA = "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn"


def test_a_host_of_ecr_says_whose_it_is_and_where():
    for host, region in (
        (ECR, "eu-west-1"),
        (CHINA, "cn-north-1"),
        ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("123456789012.dkr-ecr.eu-west-1.on.aws", "eu-west-1"),
        ("123456789012.dkr-ecr-fips.us-east-1.on.aws", "us-east-1"),
        ("123456789012.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn", "cn-north-1"),
    ):
        assert EcrHost.parse(host) == EcrHost(host=host, account="123456789012", region=region)
    for host in ("example.com", "12.dkr.ecr.eu-west-1.amazonaws.com", f"{ECR}.evil.com"):
        assert EcrHost.parse(host) is None
    for host in (f"{ECR}.cn", CHINA.removesuffix(".cn")):
        with pytest.raises(UsageError, match="can't be a registry"):
            EcrHost.parse(host)


def test_a_uri_says_all_of_the_place():
    assert Target.parse(f"{ECR}/a/b:1.0") == Target(host=ECR, repository="a/b", tag="1.0")
    assert Target.parse("localhost:5000/a") == Target(host="localhost:5000", repository="a",
                                                       tag=None)  # fmt: skip
    for uri in ("a/b", f"{ECR}/", f"{ECR}/A", "host.com"):
        with pytest.raises(UsageError, match="no place for an image"):
            Target.parse(uri)
    with pytest.raises(UsageError, match="by its digest"):
        Target.parse(f"{ECR}/a@sha256:00")


HOST = EcrHost.parse(ECR)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("i",), Where()),
        (("i", "v1"), Where(tag="v1")),
        (("i", f"{ECR}/a:v1"), Where(host=HOST, account="123456789012", region="eu-west-1",
                                     repository="a", tag="v1")),
        (("i", "localhost:5000/a/b"), Where(private="localhost:5000", repository="a/b")),
        ((f"{ECR}/a:v1",), Where(host=HOST, account="123456789012", region="eu-west-1",
                                 repository="a", tag="v1")),
        ((f"{ECR}/a:v1", "v2"), Where(host=HOST, account="123456789012", region="eu-west-1",
                                      repository="a", tag="v2")),
        (("example.com/a:v1", "v2"), Where(tag="v2")),  # its copy goes to the caller's own ECR
    ],
)  # fmt: skip
def test_where_a_push_goes(given, expected):
    assert where(*given) == expected


def test_options_say_the_same_in_pieces():
    assert where("i", "v1", registry="r.example.com", repository="a") == Where(
        private="r.example.com", repository="a", tag="v1"
    )
    assert where("i", registry=ECR).host == HOST
    assert where("i", account="210987654321", region="us-east-1") == Where(
        account="210987654321", region="us-east-1"
    )
    assert where("i", f"{ECR}/a", account="123456789012", region="eu-west-1").repository == "a"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"account": "1"}, "is no account"),
        ({"target": f"{ECR}/a", "account": "210987654321"}, "of account 123456789012, not"),
        ({"target": f"{ECR}/a", "region": "us-east-1"}, "of region eu-west-1, not us-east-1"),
        ({"target": f"{ECR}/a", "repository": "b"}, "says all of it"),
        ({"registry": "r.com", "account": "123456789012"}, "has no accounts"),
        ({"registry": "name"}, "is no registry"),
        ({"registry": "r.com/a"}, "is no registry"),
    ],
)
def test_what_contradicts_itself_is_refused(options, words):
    with pytest.raises(UsageError, match=words):
        where("i", **options)


def test_a_reference_has_to_fit_into_a_request():
    naming.check_reference("a" * 255)
    with pytest.raises(UsageError, match="SageMaker takes 255"):
        naming.check_reference("a" * 256)


def test_what_another_account_has_to_run():
    hint = push_policies.cross_account_hint(
        "210987654321", "aws-cn", "123456789012", "cn-north-1", "a/b", missing=True
    )
    made, allowed = hint.splitlines()[1:]
    assert made == "aws ecr create-repository --region cn-north-1 --repository-name a/b"
    policy = json.loads(allowed.partition("--policy-text ")[2].strip("'"))
    (statement,) = policy["Statement"]
    assert statement["Principal"] == {"AWS": "arn:aws-cn:iam::210987654321:root"}
    assert {"ecr:PutImage", "ecr:GetDownloadUrlForLayer"} <= set(statement["Action"])
    assert "create-repository" not in push_policies.cross_account_hint(
        "210987654321", "aws", "123456789012", "us-east-1", "a", missing=False
    )
