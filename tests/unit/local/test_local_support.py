"""What AWS would take and this version can't do is refused aloud, never ignored."""

from typing import Any

import pytest

from sagedock import requests
from sagedock.errors import UnsupportedError
from sagedock.local import support
from sagedock.local.records import Kind

ROLE = "arn:aws:iam::123456789012:role/R"


def training() -> dict[str, Any]:
    return requests.training_request(
        job_name="job", image_uri="image", role=ROLE, instance_type="ml.m5.large",
        output_uri="s3://bucket/out", channels=[requests.channel("train", "s3://bucket/t")],
    )  # fmt: skip


def processing() -> dict[str, Any]:
    return requests.processing_request(
        job_name="job", image_uri="image", role=ROLE, instance_type="ml.m5.large",
        inputs=[requests.processing_input("in", "s3://b/i", "/opt/ml/processing/in")],
        outputs=[requests.processing_output("out", "s3://b/o", "/opt/ml/processing/out")],
    )  # fmt: skip


def refused(kind: Kind, request: dict[str, Any]) -> str:
    operation = "CreateTrainingJob" if kind is Kind.TRAINING else "CreateProcessingJob"
    requests.validate(operation, request)  # AWS would take it
    with pytest.raises(UnsupportedError) as caught:
        support.check(kind, request)
    return str(caught.value)


def test_plain_jobs_are_supported():
    support.check(Kind.TRAINING, training())
    support.check(Kind.PROCESSING, processing())


S3 = "s3://bucket/x"
FILE_SYSTEM = {
    "FileSystemId": "fs-12345678901", "FileSystemAccessMode": "ro", "FileSystemType": "EFS",
    "DirectoryPath": "/x",
}  # fmt: skip


@pytest.mark.parametrize(
    ("member", "value", "named"),
    [
        ("CheckpointConfig", {"S3Uri": S3}, "CheckpointConfig"),
        ("TensorBoardOutputConfig", {"S3OutputPath": S3}, "TensorBoardOutputConfig"),
        ("RemoteDebugConfig", {"EnableRemoteDebug": True}, "RemoteDebugConfig"),
        ("InfraCheckConfig", {"EnableInfraCheck": True}, "InfraCheckConfig"),
        ("SessionChainingConfig", {"EnableSessionTagChaining": True}, "SessionChainingConfig"),
        ("EnableManagedSpotTraining", True, "spot training"),
        ("RetryStrategy", {"MaximumRetryAttempts": 2}, "RetryStrategy"),
        ("ResourceConfig.InstanceCount", 2, "2 instances"),
        ("ResourceConfig.InstanceGroups",
         [{"InstanceType": "ml.m5.large", "InstanceCount": 1, "InstanceGroupName": "g"}],
         "instance groups"),
        ("AlgorithmSpecification.TrainingImageConfig", {"TrainingRepositoryAccessMode": "Vpc"},
         "private registry"),
        ("AlgorithmSpecification.TrainingInputMode", "Pipe", "input mode Pipe of channel 'train'"),
        ("AlgorithmSpecification.MetricDefinitions", [{"Name": "m", "Regex": "("}],
         "metric 'm' with the regular expression '('"),
        ("InputDataConfig.0.InputMode", "FastFile", "input mode FastFile of channel 'train'"),
        ("InputDataConfig.0.CompressionType", "Gzip", "CompressionType Gzip"),
        ("InputDataConfig.0.RecordWrapperType", "RecordIO", "RecordWrapperType RecordIO"),
        ("InputDataConfig.0.ShuffleConfig", {"Seed": 1}, "ShuffleConfig of channel 'train'"),
        ("InputDataConfig.0.DataSource.S3DataSource.S3DataType", "AugmentedManifestFile",
         "S3DataType AugmentedManifestFile"),
        ("InputDataConfig.0.DataSource", {"FileSystemDataSource": FILE_SYSTEM}, "a file system"),
    ],
)  # fmt: skip
def test_what_training_cannot_do_here(member, value, named):
    assert named in refused(Kind.TRAINING, _changed(training(), member, value))


@pytest.mark.parametrize(
    ("member", "value", "named"),
    [
        ("ProcessingResources.ClusterConfig.InstanceCount", 3, "3 instances"),
        ("ProcessingInputs.0.S3Input.S3InputMode", "Pipe", "input mode Pipe of input 'in'"),
        ("ProcessingInputs.0.S3Input.S3CompressionType", "Gzip", "S3CompressionType Gzip"),
        ("ProcessingInputs.0.AppManaged", True, "app-managed input 'in'"),
        ("ProcessingInputs.0.S3Input.LocalPath", None, "input 'in' without LocalPath"),
        ("ProcessingOutputConfig.Outputs.0.S3Output.S3UploadMode", "Continuous", "Continuous"),
        ("ProcessingOutputConfig.Outputs.0.AppManaged", True, "app-managed output 'out'"),
        ("ProcessingOutputConfig.Outputs.0.S3Output.LocalPath", None, "'out' without LocalPath"),
    ],
)
def test_what_processing_cannot_do_here(member, value, named):
    assert named in refused(Kind.PROCESSING, _changed(processing(), member, value))


def test_inputs_are_mounts_one_at_a_place():
    item = requests.processing_input("two", "s3://b/2", "/opt/ml/processing/in/")
    request = processing()
    request["ProcessingInputs"].append(item)
    assert "inputs 'in' and 'two' at one LocalPath" in refused(Kind.PROCESSING, request)


def test_an_algorithm_by_name():
    request = training()
    request["AlgorithmSpecification"] = {"AlgorithmName": "a", "TrainingInputMode": "File"}
    assert "AlgorithmName" in refused(Kind.TRAINING, request)


def test_everything_is_told_at_once():
    request = _changed(training(), "ResourceConfig.InstanceCount", 2)
    message = refused(Kind.TRAINING, {**request, "CheckpointConfig": {"S3Uri": S3}})
    assert "CheckpointConfig" in message
    assert "2 instances" in message


def test_what_means_nothing_on_one_machine_is_noted():
    request = {
        **training(),
        "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["s-1"]},
        "EnableInterContainerTrafficEncryption": True,
        "ProfilerConfig": {"S3OutputPath": S3},
    }
    request["OutputDataConfig"]["KmsKeyId"] = "k"
    request["ResourceConfig"]["VolumeKmsKeyId"] = "k"
    support.check(Kind.TRAINING, request)
    notes = "\n".join(support.notes(request))
    for named in ("VpcConfig", "encryption", "profiler", "Config.KmsKeyId", "VolumeKmsKeyId"):
        assert named in notes
    assert support.notes(training()) == ()


def _changed(request: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    *parents, last = path.split(".")
    target: Any = request
    for name in parents:
        target = target[int(name)] if isinstance(target, list) else target[name]
    if value is None:
        del target[last]
    else:
        target[last] = value
    return request
