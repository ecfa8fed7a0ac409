"""Policies: as small as the jobs allow, and what AWS's own rules and a validator take."""

import json

import cfnlint.api
import pytest
import tfparse

from sagedock.errors import UsageError
from sagedock.project import iam, iam_forms
from sagedock.project.config import Config, load
from sagedock.project.iam import Index, Needs
from sagedock.project.iam_needs import configured

NEEDS = Needs(
    account="123456789012",
    region="eu-west-1",
    repositories=("churn", "sagedock/training"),
    inputs=("s3://data-bucket/churn/raw",),
    outputs=("s3://model-bucket/churn", "s3://data-bucket/churn/out"),
    kms_keys=("arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",),
    vpc=True,
)
PLENTY = Needs(
    **vars(NEEDS)
    | {
        "repositories": ("churn", "999999999999.dkr.ecr.eu-west-1.amazonaws.com/shared/xgb"),
        "pull_through": ("docker-hub/", "quay"),
        "bucket": "data-bucket",
        "subnets": ("subnet-0a1b2c3d",),
        "security_groups": ("sg-0a1b2c3d",),
        "experiments": True,
        "mlflow": ("arn:aws:sagemaker:eu-west-1:123456789012:mlflow-tracking-server/team",),
        "indexes": (Index(domain="team", repository="wheels", owner="", region="eu-central-1"),),
    }
)


def statements(document):
    return {item["Sid"]: item for item in document["Statement"]}


@pytest.mark.filterwarnings("ignore:pkg_resources is deprecated")
@pytest.mark.filterwarnings("ignore:Deprecated call to `pkg_resources")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("whose", ["role", "caller"])
@pytest.mark.parametrize("kind", [*iam.KINDS, None])
@pytest.mark.parametrize("base", [NEEDS, PLENTY], ids=["needs", "plenty"])
def test_a_validator_finds_nothing(whose, kind, base):
    from parliament import analyze_policy_string  # leaves files open that it reads on import

    needs = Needs(**vars(base) | {"kinds": (kind,) if kind else iam.KINDS})
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
    ("region", "partition"),
    [
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("us-iso-east-1", "aws-iso"),
        ("us-isob-east-1", "aws-iso-b"),
        ("eusc-de-east-1", "aws-eusc"),
    ],
)
def test_other_partitions_have_their_own_arns(region, partition):
    document = json.dumps(iam.role(Needs(**vars(NEEDS) | {"region": region, "kms_keys": ()})))
    assert "arn:aws:" not in document
    assert f"arn:{partition}:s3:::model-bucket/churn*" in document


@pytest.mark.parametrize("needs", [NEEDS, PLENTY], ids=["needs", "plenty"])
def test_the_template_is_one_that_cloudformation_takes(needs):
    text = json.dumps(iam_forms.cloudformation(needs))
    found = cfnlint.api.lint_all(text)
    assert [item for item in found if not item.rule.id.startswith("I")] == []  # I: information


@pytest.mark.parametrize("needs", [NEEDS, PLENTY], ids=["needs", "plenty"])
def test_terraforms_own_parser_reads_the_same_policies(needs, tmp_path):
    (tmp_path / "sagedock.tf.json").write_text(json.dumps(iam_forms.terraform(needs, "Jobs")))
    found = tfparse.load_from_path(str(tmp_path))
    (role,), (jobs,) = found["aws_iam_role"], found["aws_iam_role_policy"]
    assert (role["name"], jobs["role"]) == ("Jobs", role["id"])  # the reference is one that leads
    assert json.loads(role["assume_role_policy"]) == iam.trust(needs)
    assert json.loads(jobs["policy"]) == iam.role(needs)
    launchers = sorted(found["aws_iam_policy"], key=lambda item: item["name"])
    statements = [s for item in launchers for s in json.loads(item["policy"])["Statement"]]
    assert statements == iam.caller(needs, "Jobs")["Statement"]
    assert all(len(item["policy"].replace(" ", "")) <= iam_forms.MANAGED for item in launchers)
    assert len(found["output"]) == 1 + len(launchers)


def test_a_roles_path_stays_where_it_was():
    arn = "arn:aws:iam::123456789012:role/team/ml/Jobs"
    made = iam_forms.cloudformation(NEEDS, arn)["Resources"]["JobRole"]["Properties"]
    assert (made["RoleName"], made["Path"]) == ("Jobs", "/team/ml/")
    role = iam_forms.terraform(NEEDS, arn)["resource"]["aws_iam_role"]["job"]
    assert (role["name"], role["path"]) == ("Jobs", "/team/ml/")
    assert statements(iam.caller(NEEDS, arn))["PassRole"]["Resource"] == arn
    plain = iam_forms.terraform(NEEDS, "Jobs")["resource"]["aws_iam_role"]["job"]
    assert (plain["name"], plain["path"]) == ("Jobs", "/")


def test_an_expression_in_a_name_stays_text_in_terraform(tmp_path):
    needs = Needs(**vars(NEEDS) | {"inputs": ("s3://data-bucket/${aws:userid}/",)})
    (tmp_path / "sagedock.tf.json").write_text(json.dumps(iam_forms.terraform(needs)))
    (jobs,) = tfparse.load_from_path(str(tmp_path))["aws_iam_role_policy"]
    assert json.loads(jobs["policy"]) == iam.role(needs)


# what only some projects need


def test_a_policy_that_is_too_long_for_one_is_parted():
    many = Needs(
        **vars(PLENTY) | {"repositories": [f"team/{number:03}/image" for number in range(60)]}
    )
    document = iam.caller(many, "Jobs")
    parted = iam_forms.parts(document)
    assert len(parted) > 1
    assert [s for part in parted for s in part["Statement"]] == document["Statement"]
    assert all(len(json.dumps(part, separators=(",", ":"))) <= 6144 for part in parted)
    resources = iam_forms.cloudformation(many)["Resources"]
    assert set(resources) >= {"JobRole", "LauncherPolicy", "LauncherPolicy2"}
    far = Needs(
        **vars(NEEDS) | {"repositories": [f"team/{number:03}/image" for number in range(150)]}
    )
    with pytest.raises(UsageError, match="characters; IAM takes"):
        iam_forms.terraform(far)


def test_another_accounts_repository_is_named_by_its_own_arn_and_has_to_let_us():
    arn = "arn:aws:ecr:eu-west-1:999999999999:repository/shared/xgb"
    assert PLENTY.foreign() == [arn]
    assert arn in statements(iam.role(PLENTY))["Pull"]["Resource"]
    (allowed,) = iam_forms.documents(PLENTY, "Mine")["repository"]["Statement"]
    assert allowed["Principal"] == {"AWS": "arn:aws:iam::123456789012:role/Mine"}
    assert "ecr:BatchGetImage" in allowed["Action"]
    assert "repository" not in iam_forms.documents(NEEDS)
    china = Needs(
        account="123456789012", region="cn-north-1",
        repositories=("999999999999.dkr.ecr.cn-north-1.amazonaws.com.cn/xgb",),
    )  # fmt: skip
    assert china.foreign() == ["arn:aws-cn:ecr:cn-north-1:999999999999:repository/xgb"]


def test_what_ecr_fetches_from_elsewhere():
    found = statements(iam.role(PLENTY))
    assert found["PullThrough"]["Resource"] == [
        "arn:aws:ecr:eu-west-1:123456789012:repository/docker-hub/*",
        "arn:aws:ecr:eu-west-1:123456789012:repository/quay/*",
    ]
    assert found["PullThroughImport"]["Action"] == ["ecr:BatchImportUpstreamImage"]
    alone = Needs(account="123456789012", region="eu-west-1", pull_through=("quay",))
    assert "Pull" not in statements(iam.role(alone))
    assert "Push" not in statements(iam.caller(alone, "r"))


def test_a_vpc_is_the_one_that_is_named():
    found = statements(iam.role(PLENTY))["Network"]["Resource"]
    assert [arn.rpartition(":")[2] for arn in found] == [
        "network-interface/*", "subnet/subnet-0a1b2c3d", "security-group/sg-0a1b2c3d",
    ]  # fmt: skip
    anywhere = statements(iam.role(NEEDS))["Network"]["Resource"]
    assert "arn:aws:ec2:eu-west-1:123456789012:subnet/*" in anywhere


def test_keys_are_granted_to_awss_own_services_only():
    for document in (iam.role(NEEDS), iam.caller(NEEDS, "r")):
        found = statements(document)["Grants"]
        assert found["Condition"] == {"Bool": {"kms:GrantIsForAWSResource": "true"}}
        assert found["Resource"] == list(NEEDS.kms_keys)


def test_experiments_mlflow_and_codeartifact_are_there_when_asked_for():
    role, caller = statements(iam.role(PLENTY)), statements(iam.caller(PLENTY, "r"))
    assert "sagemaker:AssociateTrialComponent" in caller["Experiments"]["Action"]
    assert "sagemaker:BatchPutMetrics" in role["Metrics2"]["Action"]
    assert role["MLflow"]["Resource"] == caller["MLflow"]["Resource"] == list(PLENTY.mlflow)
    assert caller["Index"]["Resource"] == [
        "arn:aws:codeartifact:eu-central-1:123456789012:repository/team/wheels"
    ]
    assert "Index" not in role  # images are built by whoever launches
    plain = {*statements(iam.role(NEEDS)), *statements(iam.caller(NEEDS, "r"))}
    assert not plain & {"Experiments", "Runs", "MLflow", "Index", "PullThrough", "Bucket"}


def test_a_whole_bucket_may_be_looked_at_a_part_only_listed():
    whole = Needs(**vars(NEEDS) | {"inputs": ("s3://data-bucket/",), "outputs": ()})
    assert "Condition" not in statements(iam.role(whole))["List1"]
    assert "Condition" in statements(iam.role(NEEDS))["List1"]


# from the configuration


def test_a_configuration_names_what_its_jobs_touch(tmp_path):
    (tmp_path / "sagedock.toml").write_text("""
        bucket = "team-data"
        [images.churn]
        codeartifact = { domain = "team", repository = "wheels" }
        [images.scoring]
        repository = "team/scoring"
        [train]
        input = { train = "s3://raw-data/churn/train.csv", local = "data/x.csv" }
        output-path = "s3://models/churn"
        volume-kms-key = "arn:aws:kms:eu-west-1:123456789012:key/1"
        subnet = ["subnet-1"]
        security-group = ["sg-1"]
        experiment = "churn"
        mlflow-tracking-uri = "arn:aws:sagemaker:eu-west-1:1:mlflow-tracking-server/team"
        [templates.prepare]
        command = "process"
        input = ["raw=s3://raw-data/churn/all:/opt/ml/processing/raw"]
        output = ["train=/opt/ml/processing/train:s3://team-out/train"]
    """)
    assert configured(load(tmp_path)) == {
        "kinds": ("training", "processing"),
        "repositories": ("churn", "team/scoring"),
        "inputs": ("s3://raw-data/churn/train.csv", "s3://raw-data/churn/all", "s3://team-data/"),
        "outputs": ("s3://models/churn", "s3://team-out/train", "s3://team-data/"),
        "bucket": "team-data",
        "kms_keys": ("arn:aws:kms:eu-west-1:123456789012:key/1",),
        "subnets": ("subnet-1",),
        "security_groups": ("sg-1",),
        "experiments": True,
        "vpc": True,
        "mlflow": ("arn:aws:sagemaker:eu-west-1:1:mlflow-tracking-server/team",),
        "indexes": (Index(domain="team", repository="wheels", owner="", region=""),),
    }
    assert configured(Config()) == {}


def test_what_can_be_no_role_is_told():
    with pytest.raises(UsageError, match="no kind 'tuning'"):
        iam.role(Needs(**vars(NEEDS) | {"kinds": ("tuning",)}))
    with pytest.raises(UsageError, match="No repository is named"):
        iam.role(Needs(account="1", region="r"))
    with pytest.raises(UsageError, match="'12' is no account: expected its 12 digits"):
        iam.role(Needs(**vars(NEEDS) | {"account": "12"}))
