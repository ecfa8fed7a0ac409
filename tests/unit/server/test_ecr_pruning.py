"""`sagedock push --prune` by wire: ECR and SageMaker of this machine, and answers of the real one
that it does not have."""

import json

import pytest
from click.testing import CliRunner
from small_registry import SmallRegistry
from small_services import ACCOUNT, REGION, client, listening, settings

from faulty_proxy import FaultyProxy
from sagedock.aws.account import Account
from sagedock.cli.group import cli
from sagedock.errors import AwsError
from sagedock.images.ecr import Ecr, Wishes
from sagedock.images.prune_users import uses
from sagedock.server.application import LocalAWS
from sagedock.server.registry.store import DEFAULT_TYPE, ImageStore
from sagedock.server.registry.tokens import Tokens
from sagedock.server.services import ecr
from sagedock.server.services.ecr_records import EcrRecords

HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/Any"
JSON = {"Content-Type": "application/x-amz-json-1.1"}


@pytest.fixture
def proxy(tmp_path, monkeypatch):
    """AWS on this machine behind a proxy that the environment points at."""
    behind, records = SmallRegistry(), EcrRecords(tmp_path / "ecr", ACCOUNT)
    service = ecr.service(settings(tmp_path), ImageStore(records, behind), Tokens(b"k"), HOST)
    aws = LocalAWS(settings(tmp_path), services={"ecr": service})
    with listening(aws) as address:
        host, _, port = address.removeprefix("http://").partition(":")
        with FaultyProxy(host, int(port)) as found:
            for name, value in {
                "AWS_ENDPOINT_URL": found.url, "AWS_REGION": REGION, "AWS_MAX_ATTEMPTS": "1",
                "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b",
                "AWS_EC2_METADATA_DISABLED": "true",
            }.items():  # fmt: skip
                monkeypatch.setenv(name, value)
            yield found
    aws.close()
    behind.close()


@pytest.fixture
def images(proxy):
    """Three images, v1 to v3, in the repository churn."""
    caller = client("ecr", proxy.url)
    caller.create_repository(repositoryName="churn")
    for number in (1, 2, 3):
        text = json.dumps({"schemaVersion": 2, "mediaType": DEFAULT_TYPE, "n": number})
        caller.put_image(repositoryName="churn", imageManifest=text, imageTag=f"v{number}")
    yield lambda: sorted(
        one["imageTag"] for one in caller.list_images(repositoryName="churn")["imageIds"]
    )
    caller.close()


@pytest.fixture
def run(images):
    def invoke(*more, **how):
        words = ["push", "--prune", "--repository", "churn", "--keep", "1", *more]
        return CliRunner().invoke(cli, words, **how)

    return invoke


@pytest.fixture
def model(proxy):
    caller = client("sagemaker", proxy.url)
    caller.create_model(
        ModelName="m", ExecutionRoleArn=ROLE, PrimaryContainer={"Image": f"{HOST}/churn:v1"}
    )
    yield
    caller.close()


def test_what_nothing_uses_goes(run, images, model):
    dry = run("--dry-run")
    assert dry.exit_code == 0, dry.output
    assert "used by model m" in dry.stderr
    assert "(v2, 20" in dry.stderr
    assert images() == ["v1", "v2", "v3"]
    done = run("--yes", "--json")
    assert images() == ["v1", "v3"]
    assert len(json.loads(done.stdout)["pruned"]) == 1
    again = run("--yes")
    assert "there is nothing to remove" in again.stderr


def test_nothing_goes_unasked(run, images):
    refused = run()
    assert "nobody can be asked here" in str(refused.exception)
    assert images() == ["v1", "v2", "v3"]


@pytest.mark.parametrize("operation", ["ListModels", "DescribeModel", "ListTrainingJobs"])
def test_what_cannot_be_asked_stops_it(proxy, run, images, model, operation):
    denied = json.dumps({"__type": "AccessDeniedException", "message": "no"}).encode()
    proxy.rule(rf"SageMaker\.{operation}\b", status=400, headers=JSON, body=denied, times=9)
    result = run("--yes")
    assert isinstance(result.exception, AwsError)
    assert "sagemaker:ListModels" in result.exception.hint
    assert images() == ["v1", "v2", "v3"]


def test_model_packages_and_what_endpoints_resolved_to_count(proxy, run, images):
    """Operations that this machine's SageMaker lacks, or whose answers hold less."""

    def answers(operation, document):
        body = json.dumps(document).encode()
        proxy.rule(rf"SageMaker\.{operation}\b", status=200, headers=JSON, body=body, times=9)

    answers("ListModelPackageGroups", {"ModelPackageGroupSummaryList": [
        {"ModelPackageGroupName": "g", "ModelPackageGroupArn": "a", "CreationTime": 1,
         "ModelPackageGroupStatus": "Completed"}]})  # fmt: skip
    answers("ListModelPackages", {"ModelPackageSummaryList": [{"ModelPackageArn": "arn:p"}]})
    answers("DescribeModelPackage", {"ModelPackageName": "p", "InferenceSpecification": {
        "Containers": [{"Image": f"{HOST}/churn:v1"}]}})  # fmt: skip
    answers("ListEndpoints", {"Endpoints": [{"EndpointName": "e"}]})
    deployed = {"VariantName": "v", "DeployedImages": [{"ResolvedImage": f"{HOST}/churn:v2"}]}
    answers("DescribeEndpoint", {"EndpointName": "e", "ProductionVariants": [deployed]})
    found = uses(Account(REGION))
    assert {one.user for one in found} == {"model package arn:p", "endpoint e"}
    done = run("--yes")
    assert done.exit_code == 0, done.output
    assert images() == ["v1", "v2", "v3"]


def test_a_repository_that_is_not_there_is_told(run):
    result = CliRunner().invoke(cli, ["push", "--prune", "--repository", "none", "--yes"])
    assert "has no repository none" in str(result.exception)
    assert "No image is named" in str(CliRunner().invoke(cli, ["push"]).exception)


def test_a_repository_is_made_as_wished(proxy):
    calls = []
    found = Ecr(Account(REGION))
    wishes = Wishes(encryption="KMS", kms_key="key", immutable=False, scan=False)
    made = found.ensure("kms", wishes, lambda: calls.append("before"))
    again = found.ensure("kms", Wishes(), lambda: calls.append("never"))
    assert (made.made, made.immutable, again.made, again.immutable) == (True, False, False, False)
    assert calls == ["before"]
    assert found.ensure("plain", Wishes(), lambda: None).immutable
    caller = client("ecr", proxy.url)
    kms, plain = caller.describe_repositories()["repositories"]
    assert kms["encryptionConfiguration"] == {"encryptionType": "KMS", "kmsKey": "key"}
    assert plain["encryptionConfiguration"] == {"encryptionType": "AES256"}
    assert [one["imageScanningConfiguration"]["scanOnPush"] for one in (kms, plain)] == [
        False, True,
    ]  # fmt: skip
    policy = json.loads(caller.get_lifecycle_policy(repositoryName="kms")["lifecyclePolicyText"])
    assert {rule["selection"]["tagStatus"] for rule in policy["rules"]} == {"untagged"}
    caller.close()
