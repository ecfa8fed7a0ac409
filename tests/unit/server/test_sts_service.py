"""STS as boto3 and both SDKs meet it."""

import re

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from small_services import (
    ACCOUNT,
    ROLE,
    client,
    documents,
    listening,
    query_request,
    served,
    settings,
)

from sagedock.server.services import sts


@pytest.fixture
def service(tmp_path):
    return sts.service(settings(tmp_path))


def test_the_caller_is_an_assumed_role_of_the_account(service):
    with served("sts", service) as caller:
        found = caller.get_caller_identity()
    assert found["Account"] == ACCOUNT
    assert found["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/SageMakerRole/sagedock"
    assert re.fullmatch(r"AROA[A-Z2-7]{17}:sagedock", found["UserId"])


def test_the_sdks_make_a_role_of_the_caller(service):
    """sagemaker.session.Session.get_caller_identity_arn's own expression."""
    with served("sts", service) as caller:
        arn = caller.get_caller_identity()["Arn"]
    role = re.sub(r"^(.+)sts::(\d+):assumed-role/(.+?)/.*$", r"\1iam::\2:role/\3", arn)
    assert role == ROLE


def test_whoever_assumes_a_role_is_that_role_from_then_on(service):
    with listening(service) as address:
        first = client("sts", address)
        answer = first.assume_role(RoleArn=f"{ROLE}s/deep/Other", RoleSessionName="night")
        keys = answer["Credentials"]
        assert keys["AccessKeyId"].startswith("ASIA")
        assert len(keys["AccessKeyId"]) == 20
        second = client("sts", address)
        second._request_signer._credentials.token = keys["SessionToken"]
        found = second.get_caller_identity()
        assert found["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/Other/night"
        assert found["Arn"] == answer["AssumedRoleUser"]["Arn"]
        assert found["UserId"] == answer["AssumedRoleUser"]["AssumedRoleId"]
        third = second.get_session_token(DurationSeconds=900)["Credentials"]
        second._request_signer._credentials.token = third["SessionToken"]
        assert second.get_caller_identity()["Arn"] == found["Arn"]


def test_credentials_end_when_they_are_told_to(service):
    from datetime import UTC, datetime

    with served("sts", service) as caller:
        keys = caller.assume_role(RoleArn=ROLE, RoleSessionName="ab", DurationSeconds=900)
        session = caller.get_session_token()
    left = keys["Credentials"]["Expiration"] - datetime.now(UTC)
    assert 880 < left.total_seconds() <= 900
    left = session["Credentials"]["Expiration"] - datetime.now(UTC)
    assert 43100 < left.total_seconds() <= 43200


def test_a_key_belongs_to_the_account(service):
    with served("sts", service) as caller:
        assert caller.get_access_key_info(AccessKeyId="A" * 20)["Account"] == ACCOUNT


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"RoleArn": f"arn:aws:iam::{ACCOUNT}:user/Someone"}, "user/Someone is invalid"),
        ({"DurationSeconds": 50000}, "value less than or equal to 43200"),
        ({"RoleSessionName": "with space"}, "regular expression pattern"),
    ],
)
def test_a_bad_request_is_refused_in_the_services_words(service, arguments, message):
    with served("sts", service) as caller, pytest.raises(ClientError, match=message) as caught:
        caller.assume_role(**{"RoleArn": ROLE, "RoleSessionName": "ab", **arguments})
    assert caught.value.response["Error"]["Code"] == "ValidationError"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


@how(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(documents("sts", ["AssumeRole", "GetSessionToken", "GetAccessKeyInfo", "GetCallerIdentity"]))
def test_no_request_is_a_fault_of_ours(service, one):
    assert service(query_request(*one)).status < 500


@pytest.mark.parametrize(
    "token", ["", "x", "bnVsbA==", "eyJBcm4iOjEsIlVzZXJJZCI6Mn0=", "W1tb" * 99]
)
def test_a_strange_token_is_nobodys(service, token):
    from small_services import request

    body = b"Action=GetCallerIdentity"
    answer = service(request(body=body, X_Amz_Security_Token=token))
    assert answer.status == 200
    assert b"assumed-role/SageMakerRole/sagedock" in answer.body
