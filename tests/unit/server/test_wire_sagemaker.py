"""boto3's sagemaker client against the local endpoint: answers, pages, errors in AWS's words."""

import http.client
import json

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sagedock.requests import service_model
from sagedock.server.services.sagemaker import OPERATIONS

ROLE = "arn:aws:iam::000000000000:role/Any"
IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/i:1"


@pytest.fixture
def sagemaker(boto):
    return boto("sagemaker")


def model(sagemaker, name, **more):
    return sagemaker.create_model(
        ModelName=name, PrimaryContainer={"Image": IMAGE}, ExecutionRoleArn=ROLE, **more
    )


def test_a_model_and_its_tags(sagemaker):
    arn = model(sagemaker, "m", Tags=[{"Key": "a", "Value": "1"}])["ModelArn"]
    assert sagemaker.describe_model(ModelName="m")["PrimaryContainer"]["Image"] == IMAGE
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "b", "Value": "2"}])
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["a"])
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": "2"}]
    sagemaker.delete_model(ModelName="m")
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == []


def test_lists_have_pages(sagemaker):
    names = [f"m-{number:02}" for number in range(25)]
    for name in names:
        model(sagemaker, name)
    pages = sagemaker.get_paginator("list_models").paginate(SortBy="Name", SortOrder="Ascending")
    assert [item["ModelName"] for page in pages for item in page["Models"]] == names
    found = sagemaker.list_models(NameContains="M-1", MaxResults=100)["Models"]
    assert len(found) == 10


def code_of(call):
    with pytest.raises(ClientError) as told:
        call()
    error = told.value.response
    assert error["ResponseMetadata"]["RequestId"]
    return error["Error"]["Code"], error["Error"]["Message"]


def test_errors_have_the_services_codes_and_words(sagemaker):
    code, text = code_of(lambda: sagemaker.describe_training_job(TrainingJobName="nobody"))
    assert code == "ResourceNotFound"
    code, text = code_of(lambda: sagemaker.describe_model(ModelName="nobody"))
    assert (code, text[:30]) == ("ValidationException", "Could not find model 'nobody'.")
    model(sagemaker, "m")
    code, text = code_of(lambda: model(sagemaker, "m"))
    assert code == "ValidationException"
    assert text.startswith("Cannot create already existing model")
    code, text = code_of(lambda: model(sagemaker, "_m"))
    assert code == "ValidationException"
    assert text.startswith(
        "1 validation error detected: Value '_m' at 'modelName' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern"
    )
    code, text = code_of(sagemaker.list_pipelines)
    assert code == "UnknownOperationException"
    assert "ListPipelines" in text


def test_every_operation_is_one_of_the_services(aws):
    model_ = service_model()
    for name in OPERATIONS:
        assert name in model_.operation_names


def post(address, body, target="SageMaker.CreateModel", **fields):
    connection = http.client.HTTPConnection(*address, timeout=10)
    headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1", **fields}
    connection.request("POST", "/", body, headers)
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "no JSON"),
        (b"[]", "no JSON object"),
        (b'{"ModelName": 3}', "ModelName is 3: expected a string"),
        (b'{"Tags": {}}', "Tags is {}: expected a list"),
        (b'{"ModelName": "m", "PrimaryContainer": {"Environment": {"a": 1}}}', "Environment.a"),
        (b"[" * 100_000, "no JSON"),
    ],
)
def test_broken_bodies_are_told(address, body, words):
    status, answer = post(address, body)
    assert status == 400
    document = json.loads(answer)
    assert document["__type"] == "SerializationException"
    assert words in document["message"]


def test_what_is_not_known_is_ignored_as_aws_does(address):
    body = {"ModelName": "m", "PrimaryContainer": {"Image": IMAGE}, "New": 1}
    assert post(address, json.dumps({**body, "ExecutionRoleArn": ROLE}))[0] == 200


def test_an_unknown_service_or_operation_is_told_in_its_protocol(address):
    status, answer = post(address, b"{}", target="DynamoDB_20120810.ListTables")
    assert (status, json.loads(answer)["__type"]) == (400, "UnknownOperationException")
    status, answer = post(address, b"{}", target="SageMaker.Nothing")
    assert (status, json.loads(answer)["__type"]) == (400, "UnknownOperationException")


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(
            ["ModelName", "PrimaryContainer", "Containers", "Image", "Environment", "Tags", "Key",
             "EndpointConfigName", "ProductionVariants", "VariantName", "ResourceArn",
             "TrainingJobName", "MaxResults", "NextToken", "CreationTimeAfter", "SortBy"]
        ),
        inner,
        max_size=5,
    ),
    max_leaves=12,
)  # fmt: skip


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    operation=st.sampled_from(
        [name for name in OPERATIONS if not name.endswith("Job") and name != "CreateEndpoint"]
    ),
    document=anything,
)
def test_no_request_is_answered_by_a_fault_of_ours(address, operation, document):
    status, answer = post(address, json.dumps(document), target=f"SageMaker.{operation}")
    assert status in {200, 400}, answer
    json.loads(answer)


def test_deleting_and_updating_unknown_jobs(sagemaker):
    for call in (
        lambda: sagemaker.delete_training_job(TrainingJobName="nobody"),
        lambda: sagemaker.delete_processing_job(ProcessingJobName="nobody"),
        lambda: sagemaker.update_training_job(TrainingJobName="nobody"),
    ):
        assert code_of(call)[0] == "ResourceNotFound"
