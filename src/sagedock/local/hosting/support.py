"""What requests about endpoints may ask for that this version can't do: refused aloud. And what an
update keeps of the configuration before it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sagedock.errors import UnsupportedError, ValidationError
from sagedock.local.hosting.values import Endpoint

_CONFIG = {
    "EndpointConfigName", "ProductionVariants", "Tags", "ExecutionRoleArn", "KmsKeyId",
    "DataCaptureConfig", "AsyncInferenceConfig",
}  # fmt: skip
_VARIANT = {
    "VariantName", "ModelName", "InitialInstanceCount", "InstanceType", "InitialVariantWeight",
    "ContainerStartupHealthCheckTimeoutInSeconds", "ModelDataDownloadTimeoutInSeconds",
    "VolumeSizeInGB", "ServerlessConfig",
}  # fmt: skip
_ENDPOINT = {"EndpointName", "EndpointConfigName", "Tags"}
_UPDATE = {
    "EndpointName", "EndpointConfigName", "DeploymentConfig", "RetainAllVariantProperties",
    "ExcludeRetainedVariantProperties", "RetainDeploymentConfig",
}  # fmt: skip


def check_config(request: Mapping[str, Any]) -> None:
    """Raise UnsupportedError for what a valid CreateEndpointConfig request can't have here yet."""
    _refuse(_beyond(request), "endpoint configuration")


def check_endpoint(request: Mapping[str, Any]) -> None:
    """The same of CreateEndpoint: DeploymentConfig means nothing without something to update."""
    _refuse(set(request) - _ENDPOINT, "endpoint")


def check_update(request: Mapping[str, Any]) -> None:
    """The same of UpdateEndpoint. Raises ValidationError for properties to be excluded from what
    is not retained."""
    found = set(request) - _UPDATE
    if request.get("DeploymentConfig", {}).get("AutoRollbackConfiguration", {}).get("Alarms"):
        found.add("AutoRollbackConfiguration (there are no alarms on this machine)")
    _refuse(found, "update")
    excluded = request.get("ExcludeRetainedVariantProperties")
    if excluded and not request.get("RetainAllVariantProperties"):
        raise ValidationError(
            "ExcludeRetainedVariantProperties needs RetainAllVariantProperties.",
            hint="Set RetainAllVariantProperties=True, or leave the exclusions out.",
        )


def _beyond(request: Mapping[str, Any]) -> Iterator[str]:
    yield from set(request) - _CONFIG
    for variant in request["ProductionVariants"]:
        name = variant["VariantName"]
        yield from (f"{key} of variant {name}" for key in sorted(set(variant) - _VARIANT))
        if not variant.get("ModelName"):
            yield f"variant {name} without ModelName"
    output = request.get("AsyncInferenceConfig", {}).get("OutputConfig", {})
    if output.get("NotificationConfig"):
        yield "notifications (AsyncInferenceConfig.OutputConfig.NotificationConfig)"


def destinations(request: Mapping[str, Any]) -> Iterator[str]:
    """S3 URIs below which an endpoint of this configuration writes."""
    capture = request.get("DataCaptureConfig", {})
    if capture.get("EnableCapture", bool(capture)):
        yield capture["DestinationS3Uri"]
    output = request.get("AsyncInferenceConfig", {}).get("OutputConfig", {})
    yield from (output[key] for key in ("S3OutputPath", "S3FailurePath") if output.get(key))


def _refuse(found: Iterable[str], what: str) -> None:
    items = sorted(found)
    if items:
        raise UnsupportedError(
            f"This {what} asks for what can't be done here yet: {'; '.join(items)}.",
            hint="Leave it out to use it here; nothing of a request is ignored silently.",
        )


def notes(request: Mapping[str, Any]) -> tuple[str, ...]:
    """What of a configuration means nothing on one machine, as sentences for the log."""
    named = ["KmsKeyId"] if request.get("KmsKeyId") else []
    for key in ("DataCaptureConfig", "AsyncInferenceConfig"):
        settings = request.get(key, {})
        if settings.get("KmsKeyId") or settings.get("OutputConfig", {}).get("KmsKeyId"):
            named.append(f"KmsKeyId of {key}")
    for variant in request["ProductionVariants"]:
        for setting in ("MaxConcurrency", "ProvisionedConcurrency"):
            if setting in variant.get("ServerlessConfig", {}):
                named.append(f"{setting} of variant {variant['VariantName']}")
    return tuple(f"{name} has no effect on this machine" for name in named)


def retained(
    old: Mapping[str, Any],
    weights: Mapping[str, float],
    new: Mapping[str, Any],
    request: Mapping[str, Any],
) -> dict[str, Any]:
    """The configuration `new` with what an UpdateEndpoint `request` keeps of the present one:
    RetainAllVariantProperties means instance counts, weights and data capture, of variants by
    name, but for ExcludeRetainedVariantProperties."""
    if not request.get("RetainAllVariantProperties"):
        return dict(new)
    excluded = {
        item["VariantPropertyType"] for item in request.get("ExcludeRetainedVariantProperties", ())
    }
    before = {variant["VariantName"]: variant for variant in old["ProductionVariants"]}
    kept = dict(new)
    kept["ProductionVariants"] = [
        _kept(variant, before.get(variant["VariantName"]), weights, excluded)
        for variant in new["ProductionVariants"]
    ]
    if "DataCaptureConfig" not in excluded and "DataCaptureConfig" in old:
        kept["DataCaptureConfig"] = old["DataCaptureConfig"]
    return kept


def resized(
    endpoint: Endpoint, wanted: Iterable[Mapping[str, Any]]
) -> tuple[dict[str, Any], dict[str, float]]:
    """The endpoint's configuration with other instance counts, and the weights of its variants, as
    DesiredWeightsAndCapacities asks. Raises ValidationError for an unknown variant."""
    variants = {item["VariantName"]: dict(item) for item in endpoint.request["ProductionVariants"]}
    weights = dict(endpoint.weights)
    for item in wanted:
        name = item["VariantName"]
        if name not in variants:
            raise ValidationError(
                f'Could not find production variant "{name}" of endpoint "{endpoint.arn}".',
                hint=f"Its variants: {', '.join(variants)}.",
            )
        if "ServerlessUpdateConfig" in item:
            _refuse(["ServerlessUpdateConfig"], "update")
        if "DesiredWeight" in item:
            weights[name] = item["DesiredWeight"]
        if "DesiredInstanceCount" in item:
            variants[name]["InitialInstanceCount"] = item["DesiredInstanceCount"]
    return {**endpoint.request, "ProductionVariants": list(variants.values())}, weights


def _kept(
    variant: Mapping[str, Any],
    before: Mapping[str, Any] | None,
    weights: Mapping[str, float],
    excluded: set[str],
) -> dict[str, Any]:
    kept = dict(variant)
    if before is None:
        return kept
    if "DesiredInstanceCount" not in excluded and "InitialInstanceCount" in before:
        kept["InitialInstanceCount"] = before["InitialInstanceCount"]
    if "DesiredWeight" not in excluded:
        weight = weights.get(before["VariantName"], before.get("InitialVariantWeight", 1.0))
        kept["InitialVariantWeight"] = weight
    return kept
