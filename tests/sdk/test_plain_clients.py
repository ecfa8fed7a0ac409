"""boto3 and the AWS CLI, unchanged, on this machine; and what is written past every setting."""

import re
from pathlib import Path

import pytest
from sdk_kit import HERE, printed

WORD = re.compile("sagedock", re.I)


@pytest.mark.program(
    "v2", "boto3_raw.py", "{processing}", "{training}", "{serving}", "{churn}", "{code}"
)
def test_boto3_with_its_waiters(out, churn):
    assert printed(out, "model") == "['xgboost-model']"
    assert printed(out, "tags") == "[{'Key': 'project', 'Value': 'churn'}]"
    assert printed(out, "rounds") == "50"
    assert printed(out, "streamed") == printed(out, "transformed") == "True"
    answers = [float(text) for text in printed(out, "answers").split(",")]
    assert churn.accuracy(answers) > 0.94


@pytest.mark.program("cli", "aws_cli.sh", "{training}", "{churn}")
def test_the_aws_cli(out):
    lines = out.splitlines()
    assert lines[0] == "account 000000000000"
    assert "object tables/train/train.csv" in lines
    assert "arn:aws:sagemaker:us-east-1:000000000000:training-job/cli-training" in lines
    assert any(line.startswith("[19]#011train-error:") for line in lines)
    assert lines[-2:] == ["xgboost-model", "ResourceNotFound"]


@pytest.mark.program("v2", "by_hand.py")
def test_addresses_written_by_hand_end_here_and_never_at_aws(out):
    """Our answers name our account and role; AWS would refuse the key, or not be reached."""
    here = "arn:aws:sts::000000000000:assumed-role/SageMakerRole/sagedock"
    assert printed(out, "boto3") == here
    for region in ("us-east-1", "eu-west-1"):
        assert printed(out, region) == f"https://sts.{region}.amazonaws.com {here}"
    assert printed(out, "s3") == "https://s3.amazonaws.com b'here'"
    assert out.count("urllib 200 True") == out.count("requests True") == 2


def test_the_programs_know_nothing_of_this_project():
    programs = [
        path
        for path in HERE.rglob("*")
        if "programs" in path.parts and path.suffix in {".py", ".sh", ".txt"}
    ]
    assert len(programs) > 10
    assert [path for path in programs if WORD.search(Path(path).read_text())] == []
