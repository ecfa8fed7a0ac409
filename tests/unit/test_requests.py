"""Requests: what AWS would refuse is refused here, in its words, before anything starts."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.model import Shape

from sagedock import requests
from sagedock.contract.patterns import matches
from sagedock.errors import ValidationError
from sagedock.requests import (
    channel,
    processing_input,
    processing_output,
    processing_request,
    service_model,
    training_request,
    validate,
)

ROLE = "arn:aws:iam::123456789012:role/SageMaker"


def training(**changes: Any) -> dict[str, Any]:
    given = {
        "job_name": "job-1",
        "image_uri": "sagedock/training:latest",
        "role": ROLE,
        "instance_type": "ml.m5.large",
        "output_uri": "s3://bucket/out",
        "channels": [channel("train", "s3://bucket/train", content_type="text/csv")],
    }
    return training_request(**{**given, **changes})


def processing(**changes: Any) -> dict[str, Any]:
    given = {
        "job_name": "job-1",
        "image_uri": "sagedock/processing:latest",
        "role": ROLE,
        "instance_type": "ml.m5.large",
        "inputs": [processing_input("in", "s3://bucket/in", "/opt/ml/processing/in")],
        "outputs": [processing_output("out", "s3://bucket/out", "/opt/ml/processing/out")],
    }
    return processing_request(**{**given, **changes})


def refusal(request: dict[str, Any], operation: str = "CreateTrainingJob") -> str:
    with pytest.raises(ValidationError) as caught:
        validate(operation, request)
    return str(caught.value)


def changed(request: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    *parents, last = path.split(".")
    target = request
    for name in parents:
        target = target[int(name)] if isinstance(target, list) else target[name]
    target[last] = value
    return request


# what is built


FULL_TRAINING = {
    "hyperparameters": {"eta": "0.2"},
    "metric_definitions": [{"Name": "m", "Regex": "m=(.*)"}],
    "environment": {"A": "b"},
    "entrypoint": ["python3"],
    "arguments": ["x.py"],
    "tags": [{"Key": "Größe: 1", "Value": "a b"}],
    "network_isolation": True,
    "compression": "NONE",
    "max_run": 60,
    "channels": [
        channel(
            "train", "s3://b/t", data_type="ManifestFile", distribution="ShardedByS3Key",
            input_mode="Pipe", compression="Gzip", record_wrapping="RecordIO",
        )
    ],
}  # fmt: skip
FULL_PROCESSING = {
    "entrypoint": ["python3", "x.py"],
    "arguments": ["--ratio", "0.2"],
    "environment": {"A": "b"},
    "tags": [{"Key": "k", "Value": "v"}],
    "network_isolation": True,
    "max_run": 60,
}


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        ("CreateTrainingJob", training()),
        ("CreateTrainingJob", training(channels=[])),
        ("CreateTrainingJob", training(**FULL_TRAINING)),
        ("CreateProcessingJob", processing()),
        ("CreateProcessingJob", processing(inputs=[], outputs=[])),
        ("CreateProcessingJob", processing(**FULL_PROCESSING)),
    ],
)
def test_what_is_built_is_valid_and_plain_json(operation, request_):
    validate(operation, request_)
    assert json.loads(json.dumps(request_)) == request_


def test_members_without_content_are_left_out():
    assert not {"HyperParameters", "Environment", "Tags"} & set(training())
    assert "CompressionType" not in training()["OutputDataConfig"]
    assert not {"Environment", "StoppingCondition", "NetworkConfig"} & set(processing())


# form


def test_a_missing_member_is_named():
    request = training()
    del request["OutputDataConfig"]
    assert 'Missing required parameter in input: "OutputDataConfig"' in refusal(request)


def test_an_unknown_parameter_is_named():
    assert 'Unknown parameter in input: "Colour"' in refusal({**training(), "Colour": "red"})
    request = changed(training(), "ResourceConfig.Gpus", 1)
    assert 'Unknown parameter in ResourceConfig: "Gpus"' in refusal(request)


def test_a_wrong_type_is_named_without_pages_of_value():
    request = training(hyperparameters={"a": ["x" * 5000]})
    message = refusal(request)
    assert "Invalid type for parameter HyperParameters.a" in message
    assert len(message) < 1000


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("AlgorithmSpecification", "algorithmSpecification"),
        ("ResourceConfig", "resourceConfig"),
        ("ResourceConfig.InstanceType", "resourceConfig.instanceType"),
        ("ResourceConfig.InstanceCount", "resourceConfig.instanceCount"),
    ],
)
def test_what_only_serverless_jobs_may_leave_out_is_required(path, named):
    request = training()
    parent, _, last = path.rpartition(".")
    del (request[parent] if parent else request)[last]
    expected = f"Value null at '{named}' failed to satisfy constraint: Member must not be null"
    assert refusal(request) == f"1 validation error detected: {expected}"


def test_a_stopping_condition_may_be_left_out():
    request = training()
    del request["StoppingCondition"]
    validate("CreateTrainingJob", request)


# constraints, in the service's words


def constraint(path: str, value: Any, rule: str) -> str:
    return f"Value '{value}' at '{path}' failed to satisfy constraint: Member must {rule}"


@pytest.mark.parametrize(
    ("path", "value", "member", "rule"),
    [
        ("TrainingJobName", "my_job", "trainingJobName",
         "satisfy regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"),
        ("TrainingJobName", "a" * 64, "trainingJobName",
         "have length less than or equal to 63"),
        ("RoleArn", "arn:aws:iam::12:role/x-and-more", "roleArn",
         r"satisfy regular expression pattern: arn:aws[a-z\-]*:iam::\d{12}:role/?"),
        ("OutputDataConfig.S3OutputPath", "bucket/x", "outputDataConfig.s3OutputPath",
         "satisfy regular expression pattern: (https|s3)://([^/]+)/?(.*)"),
        ("OutputDataConfig.CompressionType", "ZSTD", "outputDataConfig.compressionType",
         "satisfy enum value set: [GZIP, NONE]"),
        ("AlgorithmSpecification.TrainingInputMode", "file",
         "algorithmSpecification.trainingInputMode",
         "satisfy enum value set: [Pipe, File, FastFile] (did you mean File?)"),
        ("AlgorithmSpecification.ContainerArguments", ["a"] * 101,
         "algorithmSpecification.containerArguments", "have length less than or equal to 100"),
        ("InputDataConfig.0.ChannelName", "a b", "inputDataConfig.1.member.channelName",
         r"satisfy regular expression pattern: [A-Za-z0-9\.\-_]+"),
        ("InputDataConfig.0.ContentType", "c" * 257, "inputDataConfig.1.member.contentType",
         "have length less than or equal to 256"),
        ("Environment", {"1A": "x"}, "environment",
         "satisfy regular expression pattern: [a-zA-Z_][a-zA-Z0-9_]*"),
        ("Environment", {"A": "x" * 513}, "environment.A.member",
         "have length less than or equal to 512"),
        ("Environment", {f"A{n}": "x" for n in range(101)}, "environment",
         "have length less than or equal to 100"),
        ("HyperParameters", {f"h{n}": "x" for n in range(101)}, "hyperParameters",
         "have length less than or equal to 100"),
        ("HyperParameters", {"h" * 257: "x"}, "hyperParameters",
         "have length less than or equal to 256"),
        ("HyperParameters", {"h": "x" * 2501}, "hyperParameters.h.member",
         "have length less than or equal to 2500"),
        ("HyperParameters", {"h": "a\nb"}, "hyperParameters.h.member",
         "satisfy regular expression pattern: .*"),
        ("Tags", [{"Key": "a*b", "Value": ""}], "tags.1.member.key",
         r"satisfy regular expression pattern: ([\p{L}\p{Z}\p{N}_.:/=+\-@]*)"),
    ],
)  # fmt: skip
def test_each_kind_of_constraint(path, value, member, rule):
    """A2.1a, A4.1, A4.2, A1.3 among them."""
    message = refusal(changed(training(), path, value))
    assert " detected: Value '" in message
    assert f"at '{member}' failed to satisfy constraint: Member must {rule}" in message


def test_lower_bounds_come_from_botocore():
    request = changed(training(), "ResourceConfig.InstanceCount", -1)
    assert "ResourceConfig.InstanceCount, value: -1, valid min value: 0" in refusal(request)
    request = changed(training(), "AlgorithmSpecification.ContainerEntrypoint", [])
    message = refusal(request)
    assert "AlgorithmSpecification.ContainerEntrypoint" in message
    assert "valid min length: 1" in message


def test_the_whole_message_is_the_services():
    request = changed(training(), "TrainingJobName", "my_job")
    pattern = "[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"
    assert refusal(request) == "1 validation error detected: " + constraint(
        "trainingJobName", "my_job", f"satisfy regular expression pattern: {pattern}"
    )


def test_every_problem_is_told_at_once():
    request = changed(training(job_name="my_job"), "OutputDataConfig.CompressionType", "zip")
    message = refusal(request)
    assert message.startswith("2 validation errors detected: ")
    assert message.count("; ") == 1


def test_limits_of_a_processing_job():
    """C13, C14, C6."""
    for environment in ({"A" * 257: "x"}, {"A": "x" * 257}):
        message = refusal(processing(environment=environment), "CreateProcessingJob")
        assert "Member must have length less than or equal to 256" in message
    cluster = "ProcessingResources.ClusterConfig"
    for member, value in (("InstanceCount", 101), ("VolumeSizeInGB", 16385)):
        message = refusal(
            changed(processing(), f"{cluster}.{member}", value), "CreateProcessingJob"
        )
        assert f"Value '{value}' at 'processingResources.clusterConfig." in message
        assert "Member must have value less than or equal to" in message
    message = refusal(processing(max_run=777601), "CreateProcessingJob")
    assert "less than or equal to 777600" in message
    long = processing_input("in", "s3://b/in", "/opt/ml/processing/" + "x" * 256)
    assert "length less than or equal to 256" in refusal(
        processing(inputs=[long]), "CreateProcessingJob"
    )


# readable


def test_a_close_instance_type_is_suggested_and_the_list_is_cut():
    message = refusal(changed(training(), "ResourceConfig.InstanceType", "ml.m5.larg"))
    place = "at 'resourceConfig.instanceType' failed to satisfy constraint"
    wording = f"Value 'ml.m5.larg' {place}: Member must satisfy enum value set: [ml."
    assert message.startswith(f"1 validation error detected: {wording}")
    assert "did you mean ml.m5.large" in message
    assert " in all]" in message
    assert len(message) < 600


def test_a_value_like_no_other_gets_no_hint():
    message = refusal(changed(training(), "ResourceConfig.InstanceType", "x"))
    assert "did you mean" not in message


@pytest.mark.parametrize(
    "hyperparameters",
    [{"h": "x" * 100_000}, {"h" * 100_000: "x"}, {f"h{n}": "x" * 1000 for n in range(101)}],
)
def test_messages_stay_readable_whatever_the_value(hyperparameters):
    message = refusal(training(hyperparameters=hyperparameters))
    assert len(message) < 1000
    assert "more characters" in message


# patterns


def shapes(shape: Shape, seen: set[str]) -> Iterator[Shape]:
    if shape.name in seen:
        return
    seen.add(shape.name)
    yield shape
    for name in ("member", "key", "value"):
        if isinstance(getattr(shape, name, None), Shape):
            yield from shapes(getattr(shape, name), seen)
    for member in getattr(shape, "members", {}).values():
        yield from shapes(member, seen)


def test_every_pattern_of_the_service_can_be_tried():
    model = service_model()
    inputs = (model.operation_model(name).input_shape for name in model.operation_names)
    seen: set[str] = set()
    patterns = {
        shape.metadata["pattern"]
        for top in inputs
        if top
        for shape in shapes(top, seen)
        if "pattern" in shape.metadata
    }
    assert len(patterns) > 100
    for pattern in patterns:
        for value in ("", "abc", "größe 1", "]^-\\", "🙂"):
            matches(pattern, value)


@pytest.mark.parametrize(
    ("value", "fits"),
    [("Größe 1", True), ("a]b", False), ("a-b", True), ("", True), ("日本 語", True), ("a*", False),
     ("^", False), ("a\\", False)],
)  # fmt: skip
def test_unicode_categories_of_java(value, fits):
    assert matches(r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)", value) is fits


def test_java_counts_in_halves_of_characters():
    pattern = r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\t]*"
    assert matches(pattern, "a 🙂\t")
    assert not matches(pattern, "a\n")


# rules that only the documentation states


def test_a_channel_name_used_twice():
    twice = [channel("train", "s3://b/1"), channel("train", "s3://b/2")]
    assert "Channel name 'train' at 'inputDataConfig' is used more than once" in refusal(
        training(channels=twice)
    )


@pytest.mark.parametrize("algorithm", [{}, {"AlgorithmName": "a", "TrainingImage": "i"}])
def test_an_image_or_an_algorithm(algorithm):
    request = {**training(), "AlgorithmSpecification": {"TrainingInputMode": "File", **algorithm}}
    assert "Exactly one of TrainingImage and AlgorithmName" in refusal(request)


@pytest.mark.parametrize(
    "path", ["/opt/ml/other", "/opt/ml/processing", "/opt/ml/processing/../x", "data", "/"]
)
def test_processing_paths_lie_below_their_folder(path):
    """C6."""
    for changes in (
        {"inputs": [processing_input("x", "s3://b/x", path)]},
        {"outputs": [processing_output("x", "s3://b/x", path)]},
    ):
        message = refusal(processing(**changes), "CreateProcessingJob")
        assert f"LocalPath '{path}' of 'x' must lie below /opt/ml/processing/" in message


@pytest.mark.parametrize("path", ["/opt/ml/processing/in", "/opt/ml/processing/in/"])
def test_an_input_path_is_no_output_path(path):
    """C9."""
    request = processing(outputs=[processing_output("out", "s3://b/x", path)])
    message = refusal(request, "CreateProcessingJob")
    assert "Output 'out' has the local path of input 'in'" in message


def test_names_of_inputs_and_outputs_are_unique():
    request = processing(
        outputs=[processing_output("in", "s3://bucket/out", "/opt/ml/processing/out")]
    )
    assert "The name 'in' is used for more than one" in refusal(request, "CreateProcessingJob")


def test_list_filters_are_validated_too():
    with pytest.raises(ValidationError):
        requests.validate("ListTrainingJobs", {"MaxResults": 101})
    with pytest.raises(ValidationError):
        requests.validate("ListTrainingJobs", {"SortBy": "Colour"})
