"""Settings of an endpoint by SDK v2's names: data capture, asynchronous, serverless."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

_MODES = {"REQUEST": "Input", "RESPONSE": "Output"}


def _given(**members: Any) -> dict[str, Any]:
    return {key: value for key, value in members.items() if value not in (None, [], {})}


@dataclass(frozen=True)
class DataCaptureConfig:
    """Which requests and answers are kept, and where: `destination_s3_uri` None is below the
    session's default bucket. `sampling_percentage` 0 to 100; `capture_options` of REQUEST and
    RESPONSE. CSV and JSON content types are kept as text, all others as Base64."""

    enable_capture: bool
    sampling_percentage: int = 20
    destination_s3_uri: str | None = None
    kms_key_id: str | None = None
    capture_options: Sequence[str] = ("REQUEST", "RESPONSE")
    csv_content_types: Sequence[str] = ("text/csv",)
    json_content_types: Sequence[str] = ("application/json",)

    def to_request(self, default_uri: str) -> dict[str, Any]:
        """CreateEndpointConfig's DataCaptureConfig."""
        options = [_MODES.get(option, option) for option in self.capture_options]
        headers = _given(
            CsvContentTypes=list(self.csv_content_types),
            JsonContentTypes=list(self.json_content_types),
        )
        return {
            "EnableCapture": self.enable_capture,
            "InitialSamplingPercentage": self.sampling_percentage,
            "DestinationS3Uri": self.destination_s3_uri or default_uri,
            "CaptureOptions": [{"CaptureMode": option} for option in options],
            **_given(KmsKeyId=self.kms_key_id, CaptureContentTypeHeader=headers),
        }


@dataclass(frozen=True)
class AsyncInferenceConfig:
    """Requests and answers go through S3: `output_path` and `failure_path` are prefixes,
    `output_path` None is below the session's default bucket."""

    output_path: str | None = None
    max_concurrent_invocations_per_instance: int | None = None
    kms_key_id: str | None = None
    notification_config: dict[str, Any] = field(default_factory=dict)
    failure_path: str | None = None

    def to_request(self, default_uri: str) -> dict[str, Any]:
        """CreateEndpointConfig's AsyncInferenceConfig."""
        client = _given(
            MaxConcurrentInvocationsPerInstance=self.max_concurrent_invocations_per_instance
        )
        return {
            "OutputConfig": {
                "S3OutputPath": self.output_path or default_uri,
                **_given(
                    KmsKeyId=self.kms_key_id,
                    NotificationConfig=self.notification_config,
                    S3FailurePath=self.failure_path,
                ),
            },
            **_given(ClientConfig=client),
        }


@dataclass(frozen=True)
class ServerlessInferenceConfig:
    """A variant without instances (D6): `memory_size_in_mb` from 1024 to 6144 in steps of 1024."""

    memory_size_in_mb: int = 2048
    max_concurrency: int = 5
    provisioned_concurrency: int | None = None

    def to_request(self) -> dict[str, Any]:
        """A variant's ServerlessConfig."""
        return {
            "MemorySizeInMB": self.memory_size_in_mb,
            "MaxConcurrency": self.max_concurrency,
            **_given(ProvisionedConcurrency=self.provisioned_concurrency),
        }
