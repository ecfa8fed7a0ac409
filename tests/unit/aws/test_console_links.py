"""Links to the console: every kind, every partition, and what has to be quoted."""

import pytest

from sagedock.aws.console import console_url, logs_url


@pytest.mark.parametrize(
    ("kind", "page"),
    [
        ("training", "jobs"),
        ("processing", "processing-jobs"),
        ("transform", "transform-jobs"),
        ("endpoint", "endpoints"),
        ("model", "models"),
    ],
)
def test_pages_of_sagemaker(kind, page):
    assert console_url(kind, "churn-1", "eu-west-1", "aws") == (
        f"https://eu-west-1.console.aws.amazon.com/sagemaker/home?region=eu-west-1#/{page}/churn-1"
    )


@pytest.mark.parametrize(
    ("region", "partition", "host"),
    [
        ("cn-north-1", "aws-cn", "cn-north-1.console.amazonaws.cn"),
        ("us-gov-west-1", "aws-us-gov", "us-gov-west-1.console.amazonaws-us-gov.com"),
    ],
)
def test_other_partitions_have_consoles_of_their_own(region, partition, host):
    assert console_url("training", "a", region, partition) == (
        f"https://{host}/sagemaker/home?region={region}#/jobs/a"
    )


def test_no_link_where_there_is_no_public_console():
    assert console_url("training", "a", "us-iso-east-1", "aws-iso") == ""
    assert logs_url("/aws/x", region="us-iso-east-1", partition="aws-iso") == ""


def test_log_groups_are_quoted_as_cloudwatch_wants_it():
    group = "/aws/sagemaker/TrainingJobs"
    base = "https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1"
    page = f"{base}#logsV2:log-groups/log-group/$252Faws$252Fsagemaker$252FTrainingJobs"
    assert console_url("log-group", group, "us-east-1") == page
    assert logs_url(group, region="us-east-1", prefix="churn-1/") == (
        f"{page}$3FlogStreamNameFilter$3Dchurn-1$252F"
    )


def test_an_unknown_kind_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="'tuning': expected one of training"):
        console_url("tuning", "a", "us-east-1")
