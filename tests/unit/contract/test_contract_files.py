"""The JSON files of a container: the service's exact keys, and reading back what was written."""

import json

from hypothesis import given
from hypothesis import strategies as st

from sagedock.contract.paths import ML, MLPaths
from sagedock.contract.processing import (
    max_seconds,
    processing_job_config,
    processing_resource_config,
)
from sagedock.contract.training import ChannelConfig, InputDataConfig, ResourceConfig

CHANNELS = st.builds(
    ChannelConfig,
    input_mode=st.sampled_from(["File", "Pipe", "FastFile"]),
    distribution=st.sampled_from(["FullyReplicated", "ShardedByS3Key"]),
    record_wrapper=st.sampled_from(["None", "RecordIO"]),
    content_type=st.none() | st.text(max_size=20),
)


def test_a_channel_has_the_services_keys_and_no_others():
    """A2.2a: content type left out when the request had none; no URI, compression, shuffle."""
    assert ChannelConfig().to_dict() == {
        "TrainingInputMode": "File",
        "S3DistributionType": "FullyReplicated",
        "RecordWrapperType": "None",
    }
    assert ChannelConfig(content_type="text/csv").to_dict()["ContentType"] == "text/csv"


@given(channels=st.dictionaries(st.text(min_size=1), CHANNELS))
def test_channels_come_back_as_they_were(channels):
    config = InputDataConfig(channels=channels)
    assert InputDataConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_channels_of_sdk_local_mode_can_be_read():
    """A9: two keys are missing there, and unknown ones may come."""
    config = InputDataConfig.from_dict({"a": {"TrainingInputMode": "File", "New": 1}, "b": {}})
    assert config.channels == {"a": ChannelConfig(), "b": ChannelConfig()}


def test_resources_have_the_real_long_form():
    """A2.3, the log of a real job; hosts sorted as text (A2.3a)."""
    config = ResourceConfig(
        current_host="algo-1", hosts=("algo-2", "algo-10", "algo-1"), instance_type="ml.c5.xlarge"
    )
    hosts = ["algo-1", "algo-10", "algo-2"]
    assert config.to_dict() == {
        "current_host": "algo-1",
        "current_instance_type": "ml.c5.xlarge",
        "current_group_name": "homogeneousCluster",
        "hosts": hosts,
        "instance_groups": [
            {
                "instance_group_name": "homogeneousCluster",
                "instance_type": "ml.c5.xlarge",
                "hosts": hosts,
            }
        ],
        "network_interface_name": "eth0",
        "topology": None,
    }
    again = ResourceConfig.from_dict(config.to_dict())
    assert again.to_dict() == config.to_dict()


def test_resources_of_three_keys_can_be_read():
    """A2.3b: the documented form, and a key of tomorrow."""
    document = {"current_host": "h", "hosts": ["h"], "network_interface_name": "eth1", "new": 1}
    config = ResourceConfig.from_dict(document)
    assert (config.current_host, config.hosts, config.network_interface) == ("h", ("h",), "eth1")
    assert config.group == "homogeneousCluster"


C15 = {
    "ProcessingJobArn": "arn:x",
    "ProcessingJobName": "n",
    "AppSpecification": {
        "ImageUri": "image",
        "ContainerEntrypoint": None,
        "ContainerArguments": None,
    },
    "Environment": {"KEY": "VALUE"},
    "ProcessingInputs": [
        {
            "InputName": "input-1",
            "S3Input": {
                "LocalPath": "/opt/ml/processing/input/dataset",
                "S3Uri": "s3://bucket/in",
                "S3DataDistributionType": "FullyReplicated",
                "S3DataType": "S3Prefix",
                "S3InputMode": "File",
                "S3CompressionType": "None",
                "S3DownloadMode": "StartOfJob",
            },
        }
    ],
    "ProcessingOutputConfig": {
        "Outputs": [
            {
                "OutputName": "output-1",
                "S3Output": {
                    "LocalPath": "/opt/ml/processing/output/dataset",
                    "S3Uri": "s3://bucket/out",
                    "S3UploadMode": "EndOfJob",
                },
            }
        ],
        "KmsKeyId": None,
    },
    "ProcessingResources": {
        "ClusterConfig": {
            "InstanceCount": 1,
            "InstanceType": "ml.m5.xlarge",
            "VolumeSizeInGB": 30,
            "VolumeKmsKeyId": None,
        }
    },
    "RoleArn": "arn:role",
    "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
}


def test_processing_job_config_is_the_documented_sample():
    """C15, from the least a request may say: what is missing is null or the default."""
    sample = json.loads(json.dumps(C15))
    source, target = sample["ProcessingInputs"][0], sample["ProcessingOutputConfig"]["Outputs"][0]
    request = {
        "ProcessingJobName": "n",
        "AppSpecification": {"ImageUri": "image"},
        "Environment": {"KEY": "VALUE"},
        "ProcessingInputs": [
            {
                "InputName": "input-1",
                "S3Input": {
                    key: source["S3Input"][key] for key in ("LocalPath", "S3Uri", "S3DataType")
                },
            }
        ],
        "ProcessingOutputConfig": {"Outputs": [target]},
        "ProcessingResources": {
            "ClusterConfig": {
                "InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30,
            }
        },
        "RoleArn": "arn:role",
    }  # fmt: skip
    assert processing_job_config(request, "arn:x") == C15


def test_processing_says_how_long_it_may_run():
    assert max_seconds({}) == 86400
    assert max_seconds({"StoppingCondition": {"MaxRuntimeInSeconds": 5}}) == 5


def test_processing_resources_have_the_two_documented_keys():
    config = processing_resource_config("algo-1", ("algo-2", "algo-1"), "ml.m5.large")
    assert config["current_host"] == "algo-1"
    assert config["hosts"] == ["algo-1", "algo-2"]


def test_names_of_files_are_the_real_ones():
    """A2.3g, J3, J4, J14: pages of the guide spell some of them otherwise."""
    assert ML.resource_config.endswith("/input/config/resourceconfig.json")
    assert ML.failure.endswith("/output/failure")
    assert ML.processing_job_config.endswith("ml/config/processingjobconfig.json")
    assert MLPaths("/base").channel("my-val.1") == "/base/input/data/my-val.1"
