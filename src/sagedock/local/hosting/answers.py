"""Endpoints in the words of DescribeEndpoint and ListEndpoints. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sagedock.local.describe import Answer
from sagedock.local.hosting.values import Endpoint, EndpointConfig

_RECAPTURED = ("DestinationS3Uri", "KmsKeyId")


def summary(endpoint: Endpoint) -> Answer:
    """One entry of ListEndpoints' answer."""
    return {
        "EndpointName": endpoint.name,
        "EndpointArn": endpoint.arn,
        "CreationTime": moment(endpoint.created),
        "LastModifiedTime": moment(endpoint.modified),
        "EndpointStatus": str(endpoint.status),
    }


def description(endpoint: Endpoint) -> Answer:
    """DescribeEndpoint's answer."""
    live = Counter(route.variant for route in endpoint.routes)
    update = endpoint.update
    members = {
        "ProductionVariants": [
            _variant(endpoint, variant, live) for variant in endpoint.request["ProductionVariants"]
        ],
        "FailureReason": endpoint.failure,
        "DataCaptureConfig": _capture(endpoint.request.get("DataCaptureConfig")),
        "AsyncInferenceConfig": endpoint.request.get("AsyncInferenceConfig"),
        "PendingDeploymentSummary": update and {"EndpointConfigName": update.config},
    }
    return {
        **summary(endpoint),
        "EndpointConfigName": endpoint.config,
        **{key: value for key, value in members.items() if value},
    }


def _variant(endpoint: Endpoint, variant: Mapping[str, Any], live: Counter[str]) -> Answer:
    name, weight = variant["VariantName"], endpoint.weight(variant)
    counts = {
        "CurrentInstanceCount": live[name],
        "DesiredInstanceCount": variant.get("InitialInstanceCount", 1),
    }
    serverless = {
        "CurrentServerlessConfig": variant.get("ServerlessConfig"),
        "DesiredServerlessConfig": variant.get("ServerlessConfig"),
    }
    return {
        "VariantName": name,
        "CurrentWeight": weight,
        "DesiredWeight": weight,
        **(serverless if "ServerlessConfig" in variant else counts),
    }


def _capture(config: Mapping[str, Any] | None) -> Answer | None:
    if config is None:
        return None
    on = bool(config.get("EnableCapture"))
    return {
        "EnableCapture": on,
        "CaptureStatus": "Started" if on else "Stopped",
        "CurrentSamplingPercentage": config["InitialSamplingPercentage"],
        **{key: config.get(key, "") for key in _RECAPTURED},
    }


def config_summary(config: EndpointConfig) -> Answer:
    """One entry of ListEndpointConfigs' answer."""
    return {
        "EndpointConfigName": config.name,
        "EndpointConfigArn": config.arn,
        "CreationTime": moment(config.created),
    }


def config_description(config: EndpointConfig) -> Answer:
    """DescribeEndpointConfig's answer."""
    members = {key: value for key, value in config.request.items() if key != "Tags"}
    return {**members, **config_summary(config)}


def moment(seconds: float) -> datetime:
    """Seconds since the epoch as botocore gives times."""
    return datetime.fromtimestamp(seconds, UTC)
