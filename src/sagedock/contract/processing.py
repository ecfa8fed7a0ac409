"""The JSON files a processing container finds in /opt/ml/config, as pure functions.

Source: C15 (missing values are null), C16.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

DEFAULT_MAX_SECONDS = 86400
"""StoppingCondition of a job that names none (C15's sample; C14: up to 777,600)."""


def processing_job_config(request: Mapping[str, Any], arn: str) -> dict[str, Any]:
    """processingjobconfig.json of a CreateProcessingJob request."""
    application = request["AppSpecification"]
    cluster = request["ProcessingResources"]["ClusterConfig"]
    outputs = request.get("ProcessingOutputConfig", {})
    return {
        "ProcessingJobArn": arn,
        "ProcessingJobName": request["ProcessingJobName"],
        "AppSpecification": {
            "ImageUri": application["ImageUri"],
            "ContainerEntrypoint": application.get("ContainerEntrypoint"),
            "ContainerArguments": application.get("ContainerArguments"),
        },
        "Environment": dict(request.get("Environment", {})),
        "ProcessingInputs": [_input(item) for item in request.get("ProcessingInputs", ())],
        "ProcessingOutputConfig": {
            "Outputs": [_output(item) for item in outputs.get("Outputs", ())],
            "KmsKeyId": outputs.get("KmsKeyId"),
        },
        "ProcessingResources": {
            "ClusterConfig": {**cluster, "VolumeKmsKeyId": cluster.get("VolumeKmsKeyId")}
        },
        "RoleArn": request["RoleArn"],
        "StoppingCondition": {"MaxRuntimeInSeconds": max_seconds(request)},
    }


def max_seconds(request: Mapping[str, Any]) -> int:
    """How long the job may run."""
    condition: Mapping[str, int] = request.get("StoppingCondition") or {}
    return condition.get("MaxRuntimeInSeconds", DEFAULT_MAX_SECONDS)


def _input(item: Mapping[str, Any]) -> dict[str, Any]:
    source = item["S3Input"]
    return {
        "InputName": item["InputName"],
        "S3Input": {
            "LocalPath": source.get("LocalPath"),
            "S3Uri": source["S3Uri"],
            "S3DataDistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
            "S3DataType": source["S3DataType"],
            "S3InputMode": source.get("S3InputMode", "File"),
            "S3CompressionType": source.get("S3CompressionType", "None"),
            "S3DownloadMode": "StartOfJob",
        },
    }


def _output(item: Mapping[str, Any]) -> dict[str, Any]:
    target = item["S3Output"]
    return {
        "OutputName": item["OutputName"],
        "S3Output": {
            "LocalPath": target.get("LocalPath"),
            "S3Uri": target["S3Uri"],
            "S3UploadMode": target["S3UploadMode"],
        },
    }


def processing_resource_config(
    current_host: str, hosts: Sequence[str], instance_type: str
) -> dict[str, Any]:
    """resourceconfig.json of processing: the two documented keys and those seen beside them."""
    return {
        "current_host": current_host,
        "hosts": sorted(hosts),
        "current_instance_type": instance_type,
        "network_interface_name": "eth0",
    }
