"""Rules of models and endpoint configurations that botocore's model does not hold. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_ENVIRONMENT_BYTES = 32 << 10


def model_rules(request: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a CreateModel request, as sentences (D1.6, D2.5, D5)."""
    containers = list(request.get("Containers", ()))
    if bool(containers) == bool(request.get("PrimaryContainer")):
        yield "Exactly one of PrimaryContainer and Containers must be set"
    containers += [request["PrimaryContainer"]] if request.get("PrimaryContainer") else []
    names = [item["ContainerHostname"] for item in containers if item.get("ContainerHostname")]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"ContainerHostname '{name}' is used more than once"
    direct = request.get("InferenceExecutionConfig", {}).get("Mode") == "Direct"
    if direct and len(names) < len(containers):
        yield "Every container needs a ContainerHostname where the execution mode is Direct"
    size = sum(
        len(key) + len(value)
        for item in containers
        for key, value in item.get("Environment", {}).items()
    )
    if size > _ENVIRONMENT_BYTES:  # D1.6
        yield f"Environment of all containers has {size} bytes: at most {_ENVIRONMENT_BYTES}"
    for number, item in enumerate(containers, 1):
        yield from _container_rules(item, f"container {number}")


def _container_rules(container: Mapping[str, Any], what: str) -> Iterator[str]:
    source = container.get("ModelDataSource", {}).get("S3DataSource", {})
    url = container.get("ModelDataUrl", "")
    if url and source:
        yield f"ModelDataUrl and ModelDataSource of {what} can't both be set"
    if source.get("S3DataType") == "S3Prefix" and not source["S3Uri"].endswith("/"):  # D2.5
        yield f"S3Uri '{source['S3Uri']}' of {what} must end with '/': it is an S3Prefix"
    if container.get("Mode") == "MultiModel" and (source or not url or url.endswith(".tar.gz")):
        yield f"ModelDataUrl of {what} must be the S3 prefix of its models: its Mode is MultiModel"
    if container.get("MultiModelConfig") and container.get("Mode") != "MultiModel":
        yield f"MultiModelConfig of {what} needs Mode MultiModel"


def endpoint_rules(request: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a CreateEndpointConfig request, as sentences (D6)."""
    names = [variant["VariantName"] for variant in request["ProductionVariants"]]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"Variant name '{name}' at 'productionVariants' is used more than once"
    for variant in request["ProductionVariants"]:
        name, serverless = variant["VariantName"], "ServerlessConfig" in variant
        for key in ("InstanceType", "InitialInstanceCount"):
            if serverless == (key in variant):
                need = "can't have" if serverless else "needs"
                other = "with" if serverless else "without"
                yield f"Variant '{name}' {need} {key} {other} ServerlessConfig"
    serverless = any("ServerlessConfig" in item for item in request["ProductionVariants"])
    for key in ("DataCaptureConfig", "AsyncInferenceConfig"):  # D6.5
        if serverless and request.get(key):
            yield f"{key} can't be used with serverless variants"
