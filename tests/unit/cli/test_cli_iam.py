"""`sagedock iam`: policies from the configuration, with flags above it."""

import json

import pytest

HERE = ("--account", "123456789012", "--region", "eu-west-1")
NO_REGION = {"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}
FILE = """
region = "eu-central-1"
account = "111111111111"
role = "arn:aws:iam::111111111111:role/team/Jobs"
bucket = "team-data"
[images.churn]
[train]
image = "churn"
[iam]
experiments = true
"""


@pytest.fixture
def iam(sagedock, work):
    """`sagedock iam ARGUMENTS…`'s document, with that configuration."""
    (work / ".git").mkdir()

    def run(*arguments, config=""):
        (work / "sagedock.toml").write_text(config)
        done = sagedock("iam", *arguments, env=NO_REGION)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def test_the_configuration_is_enough(iam):
    found = iam(config=FILE)
    text = json.dumps(found)
    assert "arn:aws:ecr:eu-central-1:111111111111:repository/churn" in text
    assert "arn:aws:s3:::team-data/*" in text
    assert '"arn:aws:iam::111111111111:role/team/Jobs"' in text
    assert "CreateTrainingJob" in text
    assert "Endpoint" not in text  # nothing in the file serves
    assert "AssociateTrialComponent" in text


def test_flags_stand_above_it(iam):
    found = iam(
        *HERE, "--repository", "mine", "--kind", "endpoint", "--input", "s3://other-data/x",
        "--role-name", "Other", config=FILE,
    )  # fmt: skip
    text = json.dumps(found)
    assert "arn:aws:ecr:eu-west-1:123456789012:repository/mine" in text
    assert "repository/churn" not in text
    assert "s3:::other-data/x*" in text
    assert "role/Other" in text
    assert "CreateTrainingJob" not in text


def test_without_a_file_flags_are_enough(iam):
    found = iam(*HERE, "--repository", "churn", "--input", "s3://raw-data/x", "--for", "role")
    sids = {item["Sid"] for item in found["Statement"]}
    assert sids == {"Inputs", "List1", "Login", "Pull", "Logs", "Metrics"}


def test_without_any_address_jobs_have_the_bucket_that_they_begin_with(iam):
    found = json.dumps(iam(*HERE, "--repository", "churn"))
    assert "arn:aws:s3:::sagemaker-eu-west-1-123456789012/*" in found
    assert "s3:CreateBucket" in found


def test_the_default_bucket_is_read_and_written(iam):
    found = iam(*HERE, "--repository", "churn", "--bucket", "team-data")
    role = {item["Sid"]: item for item in found["role"]["Statement"]}
    assert role["Inputs"]["Resource"] == role["Outputs"]["Resource"] == ["arn:aws:s3:::team-data/*"]
    caller = {item["Sid"]: item for item in found["caller"]["Statement"]}
    assert caller["Bucket"]["Action"] == ["s3:CreateBucket", "s3:ListBucket"]


def test_another_accounts_repository(iam, sagedock):
    foreign = "999999999999.dkr.ecr.eu-west-1.amazonaws.com/xgb"
    found = iam(*HERE, "--repository", foreign, "--for", "repository")
    assert found["Statement"][0]["Principal"] == {
        "AWS": "arn:aws:iam::123456789012:role/SageMakerJobRole"
    }
    done = sagedock("iam", *HERE, "--repository", "mine", "--for", "repository")
    assert (done.returncode, "no repository is another account's" in done.stderr) == (2, True)


@pytest.mark.parametrize("form", ["cloudformation", "terraform"])
def test_the_forms_hold_all_of_it(iam, sagedock, form):
    found = json.dumps(iam(*HERE, "--repository", "churn", "--format", form))
    assert "AssumeRole" in found
    assert "PassRole" in found
    done = sagedock("iam", *HERE, "--repository", "churn", "--format", form, "--for", "role")
    assert (done.returncode, "--for is for --format json" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--region", "eu-west-1"), "There is no account to make ARNs of."),
        (("--account", "123456789012"), "There is no region to make ARNs of."),
        (HERE, "No repository is named"),
        ((*HERE[2:], "--account", "12", "--repository", "x"), "'12' is no account"),
    ],
)
def test_what_is_missing_is_told(sagedock, arguments, words):
    done = sagedock("iam", *arguments, env=NO_REGION)
    assert (done.returncode, words in done.stderr, "hint: " in done.stderr) == (
        2, True, "'12'" not in words,
    )  # fmt: skip
