"""Who asks AWS: region, profile, partition; and what goes wrong in words."""

import os

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
)

from sagedock.aws.account import Account, told
from sagedock.errors import AwsError, UsageError


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")


def test_a_region_has_to_be_known() -> None:
    with pytest.raises(UsageError, match="No region is known"):
        Account()


def test_a_profile_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match="nobody"):
        Account("eu-west-1", "nobody")


@pytest.mark.parametrize(
    ("region", "partition", "domain"),
    [
        ("eu-central-1", "aws", "amazonaws.com"),
        ("cn-north-1", "aws-cn", "amazonaws.com.cn"),
        ("us-gov-west-1", "aws-us-gov", "amazonaws.com"),
    ],
)
def test_a_region_has_its_partition(region: str, partition: str, domain: str) -> None:
    account = Account(region)
    assert (account.partition, account.domain) == (partition, domain)


def test_one_client_serves_all() -> None:
    account = Account("us-east-1")
    assert account.client("sts") is account.client("sts")


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("ExpiredTokenException", "too old"),
        ("AccessDeniedException", "sagedock iam"),
        ("ThrottlingException", "AWS_RETRY_MODE"),
        ("InternalFailure", ""),
    ],
)
def test_the_services_words_are_kept(code: str, hint: str) -> None:
    with pytest.raises(AwsError, match=f"Job x: {code}: So it is.") as caught, told("Job x"):
        raise ClientError({"Error": {"Code": code, "Message": "So it is."}}, "CreateJob")
    assert hint in (caught.value.hint or "")


def test_without_credentials_the_way_to_them_is_said() -> None:
    with pytest.raises(AwsError, match="Unable to locate cred") as caught, told("Who you are"):
        raise NoCredentialsError
    assert "AWS_PROFILE" in (caught.value.hint or "")


def test_where_nobody_answers_the_network_is_asked_about() -> None:
    error = EndpointConnectionError(endpoint_url="http://nowhere")
    with pytest.raises(AwsError, match="Could not connect") as caught, told("Jobs"):
        raise error
    assert "HTTPS_PROXY" in caught.value.hint


def test_a_wrong_parameter_is_no_matter_of_credentials() -> None:
    with pytest.raises(AwsError) as caught, told("Jobs"):
        raise ParamValidationError(report="x")
    assert caught.value.hint == ""
