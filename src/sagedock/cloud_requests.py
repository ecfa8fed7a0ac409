"""What only AWS can do, in SageMaker's own words: spot instances, networks, keys, experiments.

Members for the requests that `requests` builds, from SDK v2's argument names. On this machine they
are refused aloud or said to have no effect (`local/support.py`). Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sagedock.errors import UsageError

Members = dict[str, Any]

_EXPERIMENT = ("ExperimentName", "TrialName", "TrialComponentDisplayName", "RunName")


def training(
    *,
    spot: bool = False,
    max_run: int = 86400,
    max_wait: int | None = None,
    checkpoint_uri: str | None = None,
    checkpoint_path: str | None = None,
    subnets: Sequence[str] = (),
    security_groups: Sequence[str] = (),
    encrypt_traffic: bool = False,
    output_key: str | None = None,
    volume_key: str | None = None,
    keep_alive: int | None = None,
    attempts: int | None = None,
    experiment: Mapping[str, str] | None = None,
) -> Members:
    """Further members of CreateTrainingJob; times in seconds. Raises UsageError for what can't go
    together: the service would say it less clearly."""
    if max_wait and not spot:
        raise UsageError("max_wait is for spot instances.", hint="Say use_spot_instances=True too.")
    if max_wait and max_wait < max_run:
        raise UsageError(
            f"max_wait ({max_wait} s) is less than max_run ({max_run} s), which is a part of it.",
            hint=f"Give max_wait={max_run} or more.",
        )
    if checkpoint_path and not checkpoint_uri:
        raise UsageError("checkpoint_local_path needs checkpoint_s3_uri.")
    return {
        "EnableManagedSpotTraining": spot,
        "StoppingCondition": {"MaxWaitTimeInSeconds": (max_wait or max_run) if spot else None},
        "CheckpointConfig": {"S3Uri": checkpoint_uri, "LocalPath": checkpoint_path},
        "VpcConfig": vpc(subnets, security_groups),
        "EnableInterContainerTrafficEncryption": encrypt_traffic,
        "OutputDataConfig": {"KmsKeyId": output_key},
        "ResourceConfig": {"VolumeKmsKeyId": volume_key, "KeepAlivePeriodInSeconds": keep_alive},
        "RetryStrategy": {"MaximumRetryAttempts": attempts},
        "ExperimentConfig": experiment_config(experiment),
    }


def processing(
    *,
    subnets: Sequence[str] = (),
    security_groups: Sequence[str] = (),
    encrypt_traffic: bool = False,
    output_key: str | None = None,
    volume_key: str | None = None,
    experiment: Mapping[str, str] | None = None,
) -> Members:
    """Further members of CreateProcessingJob."""
    return {
        "NetworkConfig": {
            "VpcConfig": vpc(subnets, security_groups),
            "EnableInterContainerTrafficEncryption": encrypt_traffic,
        },
        "ProcessingOutputConfig": {"KmsKeyId": output_key},
        "ProcessingResources": {"ClusterConfig": {"VolumeKmsKeyId": volume_key}},
        "ExperimentConfig": experiment_config(experiment),
    }


def transform(
    *,
    output_key: str | None = None,
    volume_key: str | None = None,
    experiment: Mapping[str, str] | None = None,
) -> Members:
    """Further members of CreateTransformJob."""
    return {
        "TransformOutput": {"KmsKeyId": output_key},
        "TransformResources": {"VolumeKmsKeyId": volume_key},
        "ExperimentConfig": experiment_config(experiment),
    }


def vpc(subnets: Sequence[str], security_groups: Sequence[str]) -> Members | None:
    """A VpcConfig, None without one. Raises UsageError where half of it is given."""
    if bool(subnets) != bool(security_groups):
        raise UsageError(
            "A VPC needs subnets and security groups, both.",
            hint="subnets=['subnet-…'], security_group_ids=['sg-…']",
        )
    if not subnets:
        return None
    return {"SecurityGroupIds": list(security_groups), "Subnets": list(subnets)}


def experiment_config(given: Mapping[str, str] | None) -> Members | None:
    """An ExperimentConfig. Raises UsageError for a member that it does not have."""
    unknown = [name for name in given or {} if name not in _EXPERIMENT]
    if unknown:
        raise UsageError(
            f"experiment_config has no {', '.join(unknown)}: expected {', '.join(_EXPERIMENT)}."
        )
    return dict(given) if given else None
