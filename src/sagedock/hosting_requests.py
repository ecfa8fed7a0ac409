"""Models and endpoints in SageMaker's own words: builds the requests that make them.

As `requests` does for jobs; must not know who will carry them out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Request = dict[str, Any]


def model_container(
    image_uri: str, model_data: str | None, environment: Mapping[str, str]
) -> Request:
    """A container of a CreateModel request. `model_data` is the URI of a model.tar.gz."""
    return {
        "Image": image_uri,
        **_given(ModelDataUrl=model_data, Environment=dict(environment)),
    }


def model_request(
    *,
    name: str,
    containers: Mapping[str, Any],
    role: str,
    isolated: bool = False,
    tags: Sequence[Mapping[str, str]] = (),
    vpc: Mapping[str, Sequence[str]] | None = None,
) -> Request:
    """A CreateModel request; `containers` is its PrimaryContainer or its Containers, by name.
    `vpc`: SecurityGroupIds and Subnets."""
    return {
        "ModelName": name,
        **containers,
        "ExecutionRoleArn": role,
        **_given(
            EnableNetworkIsolation=isolated,
            Tags=[dict(tag) for tag in tags],
            VpcConfig={name: list(items) for name, items in (vpc or {}).items()},
        ),
    }


def production_variant(
    *,
    model_name: str,
    instance_type: str,
    instance_count: int = 1,
    name: str = "AllTraffic",
    weight: float = 1.0,
    serverless: Mapping[str, Any] | None = None,
    volume_gb: int | None = None,
    download_seconds: int | None = None,
    startup_seconds: int | None = None,
) -> Request:
    """One of CreateEndpointConfig's ProductionVariants, named as the SDKs name it. With a
    `serverless` configuration it has no instances."""
    instances = {"InstanceType": instance_type, "InitialInstanceCount": instance_count}
    return {
        "VariantName": name,
        "ModelName": model_name,
        **({"ServerlessConfig": dict(serverless)} if serverless else instances),
        "InitialVariantWeight": weight,
        **_given(
            VolumeSizeInGB=volume_gb,
            ModelDataDownloadTimeoutInSeconds=download_seconds,
            ContainerStartupHealthCheckTimeoutInSeconds=startup_seconds,
        ),
    }


def _given(**members: Any) -> Request:
    """Members that have been given: an empty one is none."""
    return {key: value for key, value in members.items() if value}
