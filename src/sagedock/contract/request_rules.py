"""Rules of requests that botocore's model does not hold. Pure.

Source: A2.2, C6, C9, and the API reference's prose.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sagedock.contract.hosting import endpoint_rules, model_rules
from sagedock.contract.paths import ML
from sagedock.contract.transform import transform_rules


def documented_rules(operation: str, request: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with `request` by rules that only the documentation states, as sentences."""
    if operation == "CreateTrainingJob":
        yield from _training_rules(request)
    if operation == "CreateProcessingJob":
        yield from _processing_rules(request)
    if operation == "CreateTransformJob":
        yield from transform_rules(request)
    if operation == "CreateModel":
        yield from model_rules(request)
    if operation == "CreateEndpointConfig":
        yield from endpoint_rules(request)


def _training_rules(request: Mapping[str, Any]) -> Iterator[str]:
    names = [channel["ChannelName"] for channel in request.get("InputDataConfig", ())]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"Channel name '{name}' at 'inputDataConfig' is used more than once"
    if "ServerlessJobConfig" not in request:  # only for its sake the model lets them be left out
        yield from _own_instances(request)
    algorithm = request.get("AlgorithmSpecification")
    if algorithm and ("TrainingImage" in algorithm) == ("AlgorithmName" in algorithm):
        yield (
            "Exactly one of TrainingImage and AlgorithmName must be set at 'algorithmSpecification'"
        )


def _own_instances(request: Mapping[str, Any]) -> Iterator[str]:
    for name in ("AlgorithmSpecification", "ResourceConfig"):
        if name not in request:
            yield _missing(_lowered(name))
    resources = request.get("ResourceConfig", {})
    if "ResourceConfig" in request and not resources.get("InstanceGroups"):
        for name in ("InstanceType", "InstanceCount"):
            if name not in resources:
                yield _missing(f"resourceConfig.{_lowered(name)}")


def _lowered(name: str) -> str:
    return name[:1].lower() + name[1:]


def _missing(path: str) -> str:
    return f"Value null at '{path}' failed to satisfy constraint: Member must not be null"


def _processing_rules(request: Mapping[str, Any]) -> Iterator[str]:
    cluster = request["ProcessingResources"].get("ClusterConfig", {})
    for name in ("InstanceType", "InstanceCount", "VolumeSizeInGB"):
        if name not in cluster:  # the model lets them be left out; a job can't run without
            yield _missing(f"processingResources.clusterConfig.{_lowered(name)}")
    inputs = [
        (item["InputName"], item["S3Input"].get("LocalPath", ""))
        for item in request.get("ProcessingInputs", ())
        if "S3Input" in item
    ]
    outputs = [
        (item["OutputName"], item["S3Output"].get("LocalPath", ""))
        for item in request.get("ProcessingOutputConfig", {}).get("Outputs", ())
        if "S3Output" in item
    ]
    yield from _processing_paths([*inputs, *outputs])
    taken = {path.rstrip("/"): name for name, path in inputs}
    for name, path in outputs:  # C9
        if path.rstrip("/") in taken:
            yield (
                f"Output '{name}' has the local path of input '{taken[path.rstrip('/')]}' "
                f"({path}): they must differ"
            )


def _processing_paths(pairs: Sequence[tuple[str, str]]) -> Iterator[str]:
    names = [name for name, _ in pairs]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"The name '{name}' is used for more than one input or output"
    for name, path in pairs:  # C6
        inside = path.rstrip("/").startswith(f"{ML.processing}/")
        if path and (not inside or ".." in path.split("/")):
            yield f"LocalPath '{path}' of '{name}' must lie below {ML.processing}/"
