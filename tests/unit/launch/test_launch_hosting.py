"""Requests that models and their endpoints are made of: botocore takes them."""

import pytest

from sagedock import hosting_requests
from sagedock.errors import ValidationError
from sagedock.launch.inference_configs import (
    AsyncInferenceConfig,
    DataCaptureConfig,
    ServerlessInferenceConfig,
)
from sagedock.requests import validate

ROLE = "arn:aws:iam::000000000000:role/Any"
IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/i:1"


def model(**containers):
    return hosting_requests.model_request(name="m", containers=containers, role=ROLE)


def variant(**more):
    return hosting_requests.production_variant(model_name="m", instance_type="ml.m5.large", **more)


def config(variant, **more):
    return {"EndpointConfigName": "c", "ProductionVariants": [variant], **more}


def test_every_kind_of_model_is_a_valid_request():
    one = hosting_requests.model_container(IMAGE, "s3://bucket/model.tar.gz", {"A": "1"})
    validate("CreateModel", model(PrimaryContainer=one))
    validate("CreateModel", model(Containers=[one, one]))
    many = {**one, "ModelDataUrl": "s3://bucket/models/", "Mode": "MultiModel"}
    validate("CreateModel", model(PrimaryContainer=many))


def test_every_kind_of_endpoint_is_a_valid_request():
    validate("CreateEndpointConfig", config(variant(volume_gb=3, download_seconds=60)))
    serverless = ServerlessInferenceConfig(4096).to_request()
    validate("CreateEndpointConfig", config(variant(serverless=serverless)))
    asynchronous = AsyncInferenceConfig(None, 3, failure_path="s3://bucket/failures")
    capture = DataCaptureConfig(True, capture_options=["REQUEST", "Output"])
    request = config(
        variant(),
        AsyncInferenceConfig=asynchronous.to_request("s3://bucket/answers"),
        DataCaptureConfig=capture.to_request("s3://bucket/capture"),
    )
    validate("CreateEndpointConfig", request)
    assert request["DataCaptureConfig"]["CaptureOptions"] == [
        {"CaptureMode": "Input"},
        {"CaptureMode": "Output"},
    ]


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (model(PrimaryContainer={"Image": IMAGE}, Containers=[{"Image": IMAGE}]), "Exactly one of"),
        (model(), "Exactly one of"),
        (
            {
                **model(Containers=[{"Image": IMAGE}, {"Image": IMAGE}]),
                "InferenceExecutionConfig": {"Mode": "Direct"},
            },
            "needs a ContainerHostname",
        ),
        (
            model(Containers=[{"Image": IMAGE, "ContainerHostname": "a"}] * 2),
            "'a' is used more than once",
        ),
        (model(PrimaryContainer={"Image": IMAGE, "Mode": "MultiModel"}), "S3 prefix of its models"),
        (
            model(
                PrimaryContainer={
                    "Image": IMAGE,
                    "ModelDataSource": {
                        "S3DataSource": {
                            "S3Uri": "s3://bucket/model",
                            "S3DataType": "S3Prefix",
                            "CompressionType": "None",
                        }
                    },
                }
            ),
            "must end with '/'",
        ),
        (
            model(
                PrimaryContainer={
                    "Image": IMAGE,
                    "Environment": {f"A{number}": "x" * 1000 for number in range(40)},
                }
            ),
            "at most 32768",
        ),
    ],
)
def test_models_that_aws_refuses(request_, words):
    """D1.6, D2.5, D5."""
    with pytest.raises(ValidationError, match=words):
        validate("CreateModel", request_)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"EndpointConfigName": "c", "ProductionVariants": [variant(), variant()]}, "more than on"),
        (config({"VariantName": "v", "ModelName": "m"}), "needs InstanceType without Serverless"),
        (
            config({**variant(), "ServerlessConfig": ServerlessInferenceConfig().to_request()}),
            "can't have InstanceType with ServerlessConfig",
        ),
        (
            config(
                variant(serverless=ServerlessInferenceConfig().to_request()),
                DataCaptureConfig=DataCaptureConfig(True).to_request("s3://bucket/a"),
            ),
            "DataCaptureConfig can't be used with serverless",
        ),
        (
            config(variant(serverless=ServerlessInferenceConfig(500).to_request())),
            "MemorySizeInMB",
        ),
    ],
)
def test_endpoints_that_aws_refuses(request_, words):
    """D6."""
    with pytest.raises(ValidationError, match=words):
        validate("CreateEndpointConfig", request_)
