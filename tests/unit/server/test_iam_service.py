"""IAM as boto3 and both SDKs meet it."""

import json

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from small_services import ACCOUNT, ROLE, documents, query_request, served, settings

from sagedock.server.services import iam

OPERATIONS = [
    "GetRole", "CreateRole", "UpdateAssumeRolePolicy", "DeleteRole", "ListRoles", "ListRoleTags",
    "TagRole", "UntagRole", "AttachRolePolicy", "DetachRolePolicy", "ListAttachedRolePolicies",
    "PutRolePolicy", "GetRolePolicy", "DeleteRolePolicy", "ListRolePolicies",
    "SimulatePrincipalPolicy", "CreatePolicy", "GetPolicy", "DeletePolicy", "ListPolicies",
    "CreatePolicyVersion", "GetPolicyVersion", "DeletePolicyVersion", "SetDefaultPolicyVersion",
    "ListPolicyVersions",
]  # fmt: skip
POLICY = json.dumps({"Version": "2012-10-17", "Statement": []})


@pytest.fixture
def service(tmp_path):
    made = iam.service(settings(tmp_path))
    yield made
    made.close()


@pytest.fixture
def caller(service):
    with served("iam", service) as made:
        yield made


def refused(call, code, status, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    assert answer["Error"]["Code"] == code
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == status
    return answer["Error"]["Message"]


def test_any_role_is_there_and_trusted_by_sagemaker(caller):
    role = caller.get_role(RoleName="SageMakerRole")["Role"]
    assert role["Arn"] == ROLE
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"]["Service"] == "sagemaker.amazonaws.com"
    assert statement["Action"] == "sts:AssumeRole"
    attached = caller.list_attached_role_policies(RoleName="Anything")["AttachedPolicies"]
    assert [policy["PolicyName"] for policy in attached] == ["AmazonSageMakerFullAccess"]


def test_a_role_that_studio_makes_has_its_path(caller):
    name = "AmazonSageMaker-ExecutionRole-20260101T000000"
    arn = caller.get_role(RoleName=name)["Role"]["Arn"]
    assert arn == f"arn:aws:iam::{ACCOUNT}:role/service-role/{name}"


def test_everything_is_allowed(caller):
    """What SDK v3 asks before a job."""
    pages = caller.get_paginator("simulate_principal_policy").paginate(
        PolicySourceArn=ROLE, ActionNames=["s3:PutObject", "logs:PutLogEvents"],
        ResourceArns=["arn:aws:s3:::bucket/*"],
    )  # fmt: skip
    found = [row for page in pages for row in page["EvaluationResults"]]
    assert [(row["EvalActionName"], row["EvalDecision"]) for row in found] == [
        ("s3:PutObject", "allowed"),
        ("logs:PutLogEvents", "allowed"),
    ]
    assert found[0]["EvalResourceName"] == "arn:aws:s3:::bucket/*"


def test_what_is_no_principal_is_none(caller):
    refused(
        caller.simulate_principal_policy, "InvalidInput", 400,
        PolicySourceArn="arn:aws:s3:::bucket-of-mine", ActionNames=["s3:PutObject"],
    )  # fmt: skip


def test_a_role_of_ones_own_is_kept(caller, tmp_path):
    made = caller.create_role(
        RoleName="Mine", AssumeRolePolicyDocument=POLICY, Path="/team/", Description="mine",
        Tags=[{"Key": "a", "Value": "1"}],
    )["Role"]  # fmt: skip
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/team/Mine"
    caller.tag_role(RoleName="Mine", Tags=[{"Key": "b", "Value": "2"}])
    caller.untag_role(RoleName="Mine", TagKeys=["a"])
    caller.attach_role_policy(RoleName="Mine", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    caller.put_role_policy(RoleName="Mine", PolicyName="in", PolicyDocument=POLICY)
    with served("iam", iam.service(settings(tmp_path))) as another:
        role = another.get_role(RoleName="Mine")["Role"]
        assert role["Description"] == "mine"
        assert role["AssumeRolePolicyDocument"] == json.loads(POLICY)
        assert role["Tags"] == [{"Key": "b", "Value": "2"}]
        assert another.list_role_policies(RoleName="Mine")["PolicyNames"] == ["in"]
        found = another.get_role_policy(RoleName="Mine", PolicyName="in")
        assert found["PolicyDocument"] == json.loads(POLICY)
        names = [role["RoleName"] for role in another.list_roles()["Roles"]]
        assert names == ["Mine", "SageMakerRole"]
        assert not another.list_roles(PathPrefix="/none/")["Roles"]


def test_a_role_is_made_once_and_deleted_empty(caller):
    caller.create_role(RoleName="Mine", AssumeRolePolicyDocument=POLICY)
    text = refused(caller.create_role, "EntityAlreadyExists", 409,
                   RoleName="Mine", AssumeRolePolicyDocument=POLICY)  # fmt: skip
    assert text == "Role with name Mine already exists."
    arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    caller.attach_role_policy(RoleName="Mine", PolicyArn=arn)
    refused(caller.delete_role, "DeleteConflict", 409, RoleName="Mine")
    caller.detach_role_policy(RoleName="Mine", PolicyArn=arn)
    refused(caller.detach_role_policy, "NoSuchEntity", 404, RoleName="Mine", PolicyArn=arn)
    caller.put_role_policy(RoleName="Mine", PolicyName="in", PolicyDocument=POLICY)
    refused(caller.delete_role, "DeleteConflict", 409, RoleName="Mine")
    caller.delete_role_policy(RoleName="Mine", PolicyName="in")
    refused(caller.delete_role_policy, "NoSuchEntity", 404, RoleName="Mine", PolicyName="in")
    caller.delete_role(RoleName="Mine")
    refused(caller.delete_role, "NoSuchEntity", 404, RoleName="Mine")


@pytest.mark.parametrize("text", ["{", "[]", "{}"])
def test_a_policy_has_to_be_one(caller, text):
    refused(caller.create_role, "MalformedPolicyDocument", 400,
            RoleName="Mine", AssumeRolePolicyDocument=text)  # fmt: skip


def test_roles_come_in_pages(caller):
    for number in range(5):
        caller.create_role(RoleName=f"R{number}", AssumeRolePolicyDocument=POLICY)
    pages = list(caller.get_paginator("list_roles").paginate(PaginationConfig={"PageSize": 2}))
    names = [[role["RoleName"] for role in page["Roles"]] for page in pages]
    assert names == [["R0", "R1"], ["R2", "R3"], ["R4", "SageMakerRole"]]
    refused(caller.list_roles, "ValidationError", 400, Marker="x")


def test_a_managed_policy_has_versions(caller):
    arn = caller.create_policy(PolicyName="P", PolicyDocument=POLICY)["Policy"]["Arn"]
    assert arn == f"arn:aws:iam::{ACCOUNT}:policy/P"
    refused(caller.create_policy, "EntityAlreadyExists", 409,
            PolicyName="P", PolicyDocument=POLICY)  # fmt: skip
    new = json.dumps({"Statement": [{"Effect": "Deny"}]})
    made = caller.create_policy_version(PolicyArn=arn, PolicyDocument=new, SetAsDefault=True)
    assert made["PolicyVersion"]["VersionId"] == "v2"
    assert caller.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v2"
    version = caller.get_policy_version(PolicyArn=arn, VersionId="v2")["PolicyVersion"]
    assert version["Document"] == json.loads(new)
    assert version["IsDefaultVersion"]
    refused(caller.delete_policy_version, "DeleteConflict", 409, PolicyArn=arn, VersionId="v2")
    caller.set_default_policy_version(PolicyArn=arn, VersionId="v1")
    caller.delete_policy_version(PolicyArn=arn, VersionId="v2")
    for _ in range(4):
        caller.create_policy_version(PolicyArn=arn, PolicyDocument=new)
    refused(caller.create_policy_version, "LimitExceeded", 409,
            PolicyArn=arn, PolicyDocument=new)  # fmt: skip
    versions = caller.list_policy_versions(PolicyArn=arn)["Versions"]
    assert [one["VersionId"] for one in versions] == ["v6", "v5", "v4", "v3", "v1"]
    assert [one["PolicyName"] for one in caller.list_policies(Scope="Local")["Policies"]] == ["P"]
    caller.delete_policy(PolicyArn=arn)
    refused(caller.get_policy, "NoSuchEntity", 404, PolicyArn=arn)


def test_policies_of_aws_are_there(caller):
    arn = "arn:aws:iam::aws:policy/service-role/Some"
    policy = caller.get_policy(PolicyArn=arn)["Policy"]
    assert (policy["PolicyName"], policy["Path"]) == ("Some", "/service-role/")


@how(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(documents("iam", OPERATIONS))
def test_no_request_is_a_fault_of_ours(service, one):
    assert service(query_request(*one)).status < 500
