"""Policies: as small as the jobs allow, and what AWS's own rules and a validator take."""

import json

import cfnlint.api
import pytest

from sagedock.errors import UsageError
from sagedock.project import iam, iam_forms
from sagedock.project.iam import Needs

NEEDS = Needs(
    account="123456789012",
    region="eu-west-1",
    repositories=("churn", "sagedock/training"),
    inputs=("s3://data-bucket/churn/raw",),
    outputs=("s3://model-bucket/churn", "s3://data-bucket/churn/out"),
    kms_keys=("arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",),
    vpc=True,
)


def statements(document):
    return {item["Sid"]: item for item in document["Statement"]}


@pytest.mark.filterwarnings("ignore:pkg_resources is deprecated")
@pytest.mark.filterwarnings("ignore:Deprecated call to `pkg_resources")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("whose", ["role", "caller"])
@pytest.mark.parametrize("kind", [*iam.KINDS, None])
def test_a_validator_finds_nothing(whose, kind):
    from parliament import analyze_policy_string  # leaves files open that it reads on import

    needs = Needs(**vars(NEEDS) | {"kinds": (kind,) if kind else iam.KINDS})
    document = iam_forms.documents(needs)[whose]
    found = analyze_policy_string(json.dumps(document)).findings
    assert [str(item) for item in found] == []


def test_a_role_reads_its_inputs_and_writes_its_outputs_and_nothing_else():
    found = statements(iam.role(NEEDS))
    assert found["Outputs"]["Resource"] == [
        "arn:aws:s3:::data-bucket/churn/out*",
        "arn:aws:s3:::model-bucket/churn*",
    ]
    assert "arn:aws:s3:::data-bucket/churn/raw*" in found["Inputs"]["Resource"]
    assert found["List1"]["Condition"] == {
        "StringLike": {"s3:prefix": ["churn/out*", "churn/raw*"]}
    }
    assert found["Pull"]["Resource"] == [
        "arn:aws:ecr:eu-west-1:123456789012:repository/churn",
        "arn:aws:ecr:eu-west-1:123456789012:repository/sagedock/training",
    ]
    wide = [sid for sid, item in found.items() if item["Resource"] == ["*"]]
    assert wide == ["Login", "Metrics", "NetworkLooks"]  # these actions know no resources
    assert not any("*" in action for item in found.values() for action in item["Action"])


def test_a_training_role_has_no_business_with_endpoints():
    document = json.dumps(iam.role(Needs(**vars(NEEDS) | {"kinds": ("training",)})))
    assert "TrainingJobs" in document
    assert "Endpoints" not in document
    launcher = json.dumps(iam.caller(Needs(**vars(NEEDS) | {"kinds": ("training",)}), "r"))
    assert "CreateTrainingJob" in launcher
    assert "Endpoint" not in launcher


def test_only_sagemaker_of_this_account_takes_the_role():
    (statement,) = iam.trust(NEEDS)["Statement"]
    assert statement["Principal"] == {"Service": "sagemaker.amazonaws.com"}
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}
    passed = statements(iam.caller(NEEDS, "Mine"))["PassRole"]
    assert passed["Resource"] == "arn:aws:iam::123456789012:role/Mine"
    assert passed["Condition"]["StringEquals"]["iam:PassedToService"] == "sagemaker.amazonaws.com"


@pytest.mark.parametrize(
    ("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_other_partitions_have_their_own_arns(region, partition):
    document = json.dumps(iam.role(Needs(**vars(NEEDS) | {"region": region, "kms_keys": ()})))
    assert "arn:aws:" not in document
    assert f"arn:{partition}:s3:::model-bucket/churn*" in document


def test_the_template_is_one_that_cloudformation_takes():
    text = json.dumps(iam_forms.cloudformation(NEEDS))
    found = cfnlint.api.lint_all(text)
    assert [item for item in found if not item.rule.id.startswith("I")] == []  # I: information


def test_terraforms_policies_are_the_same():
    found = iam_forms.terraform(NEEDS)["resource"]
    assert json.loads(found["aws_iam_role_policy"]["job"]["policy"]) == iam.role(NEEDS)
    assert json.loads(found["aws_iam_role"]["job"]["assume_role_policy"]) == iam.trust(NEEDS)


def test_what_can_be_no_role_is_told():
    with pytest.raises(UsageError, match="no kind 'tuning'"):
        iam.role(Needs(**vars(NEEDS) | {"kinds": ("tuning",)}))
    with pytest.raises(UsageError, match="No repository is named"):
        iam.role(Needs(account="1", region="r"))
    with pytest.raises(UsageError, match="'12' is no account: expected its 12 digits"):
        iam.role(Needs(**vars(NEEDS) | {"account": "12"}))
