"""Which errors are worth asking again."""

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)

from sagedock.aws.account import told
from sagedock.aws.calls import may_pass
from sagedock.errors import AwsError, ResourceNotFoundError


def service(code):
    return ClientError({"Error": {"Code": code, "Message": "m"}}, "Describe")


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (EndpointConnectionError(endpoint_url="u"), True),  # the network is gone for a moment
        (ConnectionClosedError(endpoint_url="u"), True),
        (ReadTimeoutError(endpoint_url="u"), True),
        (service("ThrottlingException"), True),
        (service("InternalFailure"), True),
        (service("AccessDeniedException"), False),
        (service("ExpiredTokenException"), False),
        (NoCredentialsError(), False),
    ],
    ids=lambda value: str(value)[:40],
)
def test_trouble_that_may_pass(error, passes):
    with pytest.raises(AwsError) as caught, told("x"):
        raise error
    assert may_pass(caught.value) is passes


def test_other_errors_stay_what_they_are():
    assert not may_pass(ResourceNotFoundError("no job"))
