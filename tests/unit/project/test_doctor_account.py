"""doctor's looks at an account: against AWS on this machine, behind a proxy that breaks things."""

import json
from email.utils import formatdate
from time import time

import boto3
import pytest

from faulty_proxy import FaultyProxy
from sagedock.aws.account import Account
from sagedock.local.settings import LocalSettings
from sagedock.project.config import Config, ImageConfig
from sagedock.project.doctor import account as accounts
from sagedock.project.doctor.checks import Subject, examine
from sagedock.server.application import LocalAWS
from sagedock.server.http import Listener

NUMBER = "000000000000"
QUOTA = "ml.m5.xlarge for training job usage"
CONFIG = Config(defaults={"train": {"instance-type": "ml.m5.xlarge", "instance-count": 3}})


@pytest.fixture
def proxy(tmp_path, monkeypatch):
    """boto3's only AWS: this machine's, behind the proxy."""
    application = LocalAWS(LocalSettings(data=tmp_path / "data", region="eu-west-1"))
    listener = Listener(("127.0.0.1", 0), application)
    listener.start()
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with FaultyProxy("127.0.0.1", listener.server_address[1]) as found:
        monkeypatch.setenv("AWS_ENDPOINT_URL", found.url)
        yield found
    listener.shutdown()
    listener.server_close()
    application.close()


@pytest.fixture
def account(proxy):
    return Account("eu-west-1")


def asked(account, config=CONFIG, **names):
    return accounts.Asked(account=account, config=config, **{"role": None, "bucket": None, **names})


def fault(code, message="so it is"):
    """An error in the form of AWS's query services."""
    return (
        "<ErrorResponse><Error><Type>Sender</Type>"
        f"<Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
    ).encode()


def pages(*quotas):
    """ListServiceQuotas' answer."""
    rows = [{"QuotaName": name, "QuotaCode": code, "Value": value} for name, code, value in quotas]
    return json.dumps({"Quotas": rows}).encode()


def test_who_asks_and_what_time_it_is_there(account):
    found = accounts.identity(account)
    assert (found.account, found.region, found.method) == (NUMBER, "eu-west-1", "env")
    assert found.arn.startswith(f"arn:aws:sts::{NUMBER}:")
    assert "eu-west-1" in found.known_regions
    assert abs(found.seconds_ahead) < 5
    assert not found.problem


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidClientTokenId", "SignatureDoesNotMatch"])
def test_a_refusal_is_kept_in_the_services_words(proxy, account, code):
    proxy.rule("POST /", status=403, body=fault(code))
    found = accounts.identity(account)
    assert (found.arn, found.code, found.problem) == ("", code, f"{code}: so it is")


def test_a_clock_that_is_wrong_is_seen_by_the_date_of_a_refusal(proxy, account):
    then = {"Date": formatdate(time() - 3600, usegmt=True)}
    proxy.rule("POST /", status=403, headers=then, body=fault("SignatureDoesNotMatch"))
    assert -3610 < accounts.identity(account).seconds_ahead < -3590


def test_nobody_answers(account, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    found = accounts.identity(Account("eu-west-1"))
    assert (found.arn, found.code) == ("", "EndpointConnectionError")


def test_there_are_no_credentials(proxy, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    found = accounts.identity(Account("eu-west-1"))
    assert (found.method, found.arn) == ("", "")
    assert "there are none" in found.problem
    assert not proxy.seen


# role


def test_a_role_by_name_and_by_arn(account):
    found = accounts.role(asked(account, role=f"arn:aws:iam::{NUMBER}:role/team/Jobs"), NUMBER)
    assert (found.seen.name, found.seen.there, found.unknown) == ("Jobs", True, "")
    assert found.denied == ()
    assert "sagemaker.amazonaws.com" in json.dumps(found.trust)
    assert accounts.role(asked(account), NUMBER) is None


def test_a_role_that_is_not_there(proxy, account):
    proxy.rule("POST /", status=404, body=fault("NoSuchEntity"))
    assert accounts.role(asked(account, role="Jobs"), NUMBER).seen.missing


def test_a_role_that_one_may_not_look_at(proxy, account):
    proxy.rule("POST /", status=403, body=fault("AccessDenied"))
    found = accounts.role(asked(account, role="Jobs"), NUMBER).seen
    assert (found.denied, found.problem) == (True, "AccessDenied: so it is")


def test_permissions_that_the_simulator_says_are_lacking(proxy, account):
    rows = "".join(
        f"<member><EvalActionName>{action}</EvalActionName><EvalResourceName>*</EvalResourceName>"
        f"<EvalDecision>{decision}</EvalDecision></member>"
        for action, decision in (("ecr:GetX", "allowed"), ("ecr:GetY", "implicitDeny"))
    )
    body = (
        "<SimulatePrincipalPolicyResponse><SimulatePrincipalPolicyResult><EvaluationResults>"
        f"{rows}</EvaluationResults><IsTruncated>false</IsTruncated>"
        "</SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"
    ).encode()
    proxy.rule("POST /", times=1)  # GetRole passes
    proxy.rule("POST /", status=200, body=body, times=99)
    assert accounts.role(asked(account, role="Jobs"), NUMBER).denied == ("ecr:GetY",)


def test_a_simulator_that_one_may_not_ask(proxy, account):
    proxy.rule("POST /", times=1)
    proxy.rule("POST /", status=403, body=fault("AccessDenied"), times=99)
    found = accounts.role(asked(account, role="Jobs"), NUMBER)
    assert (found.denied, found.unknown) == ((), "AccessDenied: so it is")


# bucket, ECR, quotas


def test_buckets(proxy, account):
    boto3.client("s3", region_name="eu-west-1").create_bucket(
        Bucket="churn", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    found = accounts.bucket(asked(account, bucket="churn"), NUMBER)
    assert (found.seen.there, found.region, found.unlisted) == (True, "eu-west-1", "")
    assert accounts.bucket(asked(account, bucket="nothing-here"), NUMBER).seen.missing
    proxy.rule("HEAD /", status=403)
    assert accounts.bucket(asked(account, bucket="churn"), NUMBER).seen.denied
    proxy.rule("GET /churn", status=403, body=b"<Error><Code>AccessDenied</Code></Error>")
    assert "AccessDenied" in accounts.bucket(asked(account, bucket="churn"), NUMBER).unlisted
    own = accounts.bucket(asked(account), NUMBER)
    assert (own.seen.name, own.seen.missing, own.is_made) == (
        f"sagemaker-eu-west-1-{NUMBER}", True, True,
    )  # fmt: skip


def test_repositories(proxy, account, tmp_path):
    images = {name: ImageConfig(name=name, context=tmp_path) for name in ("there", "missing")}
    boto3.client("ecr", region_name="eu-west-1").create_repository(repositoryName="there")
    found = accounts.registry(asked(account, Config(images=images)))
    assert [(seen.name, seen.there, seen.missing) for seen in found.repositories] == [
        ("there", True, False), ("missing", False, True),
    ]  # fmt: skip
    proxy.rule("POST /", status=400, body=b'{"__type": "AccessDeniedException"}')
    assert "AccessDenied" in accounts.registry(asked(account)).problem


def test_quotas_are_read_page_by_page_until_all_are_seen(proxy, account):
    more = json.loads(pages(("other", "L-0", 1.0))) | {"NextToken": "more"}
    target = r"ServiceQuotasV20190624\.ListServiceQuotas"
    proxy.rule(target, status=200, body=json.dumps(more).encode())
    proxy.rule(target, status=200, body=pages((QUOTA, "L-1", 2.0)))
    found = accounts.quotas(asked(account))
    assert (dict(found.known), found.problem) == ({QUOTA: (2.0, "L-1")}, "")
    assert proxy.asked(target) == 2
    proxy.rule(target, status=400, body=b'{"__type": "AccessDeniedException", "message": "no"}')
    assert accounts.quotas(asked(account)).problem == "AccessDeniedException: no"
    assert accounts.quotas(asked(account, Config())).wanted == ()
    assert proxy.asked(target) == 3


# all of it


def examined(tmp_path, **more):
    subject = Subject(version="1", variables={"PATH": ""}, config=CONFIG, data=tmp_path, **more)
    return {finding.check: finding for finding in examine(subject)}


def test_an_account_is_examined_part_by_part(proxy, tmp_path):
    proxy.rule("ListServiceQuotas", status=200, body=pages((QUOTA, "L-1", 2.0)))
    found = examined(tmp_path, aws=True, region="eu-west-1", role="Jobs", bucket="nothing-here")
    expected = {
        "credentials": "ok", "region": "ok", "clock": "ok", "role's trust": "ok",
        "role's permissions": "ok", "bucket": "failure", "ECR": "ok", "quotas": "failure",
    }  # fmt: skip
    assert {name: found[name].level for name in expected} == expected
    assert "--quota-code L-1 --desired-value 3" in found["quotas"].remedy


def test_without_credentials_nothing_else_is_asked(proxy, tmp_path):
    proxy.rule("POST /", status=403, body=fault("ExpiredToken"))
    found = examined(tmp_path, aws=True, region="eu-west-1", role="Jobs")
    assert found["credentials"].level == "failure"
    assert "too old" in found["credentials"].remedy
    assert not {"role", "bucket", "ECR", "quotas"} & set(found)


def test_without_a_region_the_account_is_a_failure(proxy, tmp_path, monkeypatch):
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    found = examined(tmp_path, aws=True)
    assert (found["credentials"].level, found["credentials"].found) == (
        "failure", "No region is known.",
    )  # fmt: skip


def test_without_an_engine_the_rest_is_looked_at(tmp_path):
    found = examined(tmp_path)
    assert found["engine"].level == "failure"
    assert "DOCKER_HOST" in found["engine"].remedy
    assert "No Docker engine answers" in found["engine"].found
    assert found["docker client"].level == "failure"
    assert "capabilities" not in found
    assert found["disk: data"].found.endswith(f"free at {tmp_path}")
