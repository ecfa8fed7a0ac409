"""What a request may ask for that this version can't do: refused aloud, never ignored.

Each rule is a function from the request to the texts of what it refuses, or notes: settings that
mean nothing on one machine and are said to have no effect.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sagedock.errors import UnsupportedError, ValidationError
from sagedock.local import model_data
from sagedock.local.models import Model
from sagedock.local.records import Job, Kind

_TRAINING_REFUSED = {
    "CheckpointConfig": "checkpoints",
    "DebugRuleConfigurations": "debugger rules",
    "TensorBoardOutputConfig": "TensorBoard output",
    "ProfilerRuleConfigurations": "profiler rules",
    "InfraCheckConfig": "infrastructure checks",
    "RemoteDebugConfig": "remote debugging",
    "SessionChainingConfig": "session chaining",
    "ServerlessJobConfig": "serverless training",
    "ModelPackageConfig": "model packages",
    "MlflowConfig": "MLflow settings",
}
_NO_EFFECT = {
    "VpcConfig": "VpcConfig",
    "EnableInterContainerTrafficEncryption": "traffic encryption between containers",
    "ProfilerConfig": "the profiler",
    "DebugHookConfig": "the debugger's hook",  # SDK v2 asks for it unless told not to
    "ExperimentConfig": "the experiment",
}
_DEEPER_NO_EFFECT = (
    "OutputDataConfig.KmsKeyId",
    "ResourceConfig.VolumeKmsKeyId",
    "ProcessingOutputConfig.KmsKeyId",
    "ProcessingResources.ClusterConfig.VolumeKmsKeyId",
    "NetworkConfig.VpcConfig",
    "NetworkConfig.EnableInterContainerTrafficEncryption",
    "TransformResources.VolumeKmsKeyId",
)

_KEEP_ALIVE = "KeepAlivePeriodInSeconds"


def check(kind: Kind, request: Mapping[str, Any]) -> None:
    """Raise UnsupportedError naming everything in `request` that can't be done here."""
    rules = {
        Kind.TRAINING: _training,
        Kind.PROCESSING: _processing,
        Kind.TRANSFORM: _transform,
    }
    found = list(rules[kind](request))
    if found:
        raise UnsupportedError(
            "This job asks for what local jobs can't do yet: " + "; ".join(found) + ".",
            hint="Leave it out to run the job here; nothing of a request is ignored silently.",
        )


def check_update(job: Job, request: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The job's ResourceConfig as UpdateTrainingJob wants it, None where it stays.

    Raises UnsupportedError for what can't be done here, ValidationError for what the service would
    refuse: profiler and debugger of a job that has ended, the warm pool of one that has none.
    """
    if request.get("ProfilerRuleConfigurations"):
        raise UnsupportedError("Local jobs can't have profiler rules (ProfilerRuleConfigurations).")
    if request.get("RemoteDebugConfig", {}).get("EnableRemoteDebug"):
        raise UnsupportedError("Local jobs can't be debugged from afar (RemoteDebugConfig).")
    if not job.is_running and ("ProfilerConfig" in request or "RemoteDebugConfig" in request):
        raise ValidationError(
            f"Training job {job.name} is in status {job.state.status}: only the warm pool of a job "
            "that has ended can be updated."
        )
    if "ResourceConfig" not in request:
        return None
    resources = job.request["ResourceConfig"]
    if not resources.get(_KEEP_ALIVE):
        raise ValidationError(
            f"Training job {job.name} has no warm pool that could be kept longer: its "
            f"ResourceConfig has no {_KEEP_ALIVE}."
        )
    return {**resources, **request["ResourceConfig"]}


def update_notes(request: Mapping[str, Any]) -> tuple[str, ...]:
    """What UpdateTrainingJob asks for and has no meaning on one machine, as sentences."""
    return notes({key: request[key] for key in ("ProfilerConfig",) if key in request})


def check_transformable(model: Model) -> None:
    """Raise UnsupportedError for a model that transform jobs can't use here."""
    found = ["several containers (Containers)"] if len(model.containers) > 1 else []
    if any(model_data.is_multi_model(item) for item in model.containers):
        found.append("Mode MultiModel, which no transform job takes")
    for item in model.containers:
        packing = item.get("ModelDataSource", {}).get("S3DataSource", {}).get("CompressionType")
        if packing == "None":  # E16: the service refuses it, too
            found.append("uncompressed model data (ModelDataSource), which no transform job takes")
    if found:
        raise UnsupportedError(
            f"Model {model.name} can't be used for a transform job here: it has "
            f"{'; '.join(found)}.",
            hint="Make a model of one container for it; an endpoint takes this one.",
        )


def notes(request: Mapping[str, Any]) -> tuple[str, ...]:
    """Settings of `request` that have no meaning on one machine, as sentences."""
    named = [text for key, text in _NO_EFFECT.items() if request.get(key)]
    named += [path for path in _DEEPER_NO_EFFECT if _at(request, path)]
    if request.get("ResourceConfig", {}).get(_KEEP_ALIVE):
        named.append(f"ResourceConfig.{_KEEP_ALIVE} (warm pools)")
    return tuple(f"{name} has no effect on a local job" for name in named)


def _at(request: Mapping[str, Any], path: str) -> Any:
    """The member at `A.B.C`, None where there is none."""
    found: Any = request
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _training(request: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"{text} ({key})" for key, text in _TRAINING_REFUSED.items() if request.get(key))
    algorithm = request["AlgorithmSpecification"]
    if "AlgorithmName" in algorithm:
        yield "an algorithm by name (AlgorithmSpecification.AlgorithmName)"
    if "TrainingImageConfig" in algorithm:
        yield "a private registry (TrainingImageConfig)"
    if request.get("EnableManagedSpotTraining"):
        yield "spot training (EnableManagedSpotTraining)"
    if request.get("RetryStrategy"):
        yield "retries (RetryStrategy)"
    resources = request.get("ResourceConfig", {})
    if resources.get("InstanceGroups"):
        yield "instance groups (ResourceConfig.InstanceGroups)"
    yield from _hosts(resources.get("InstanceCount", 1))
    for item in algorithm.get("MetricDefinitions", ()):
        yield from _regex(item)
    for item in request.get("InputDataConfig", ()):
        yield from _channel(item, item.get("InputMode", algorithm["TrainingInputMode"]))


def _regex(item: Mapping[str, Any]) -> Iterator[str]:
    try:
        re.compile(item["Regex"])
    except re.error as error:
        yield f"metric {item['Name']!r} with the regular expression {item['Regex']!r} ({error})"


def _channel(item: Mapping[str, Any], mode: str) -> Iterator[str]:
    name = item["ChannelName"]
    if mode != "File":
        yield f"input mode {mode} of channel {name!r} (File works)"
    source = item["DataSource"].get("S3DataSource")
    if source is None:
        yield f"a file system as data source of channel {name!r} (S3DataSource works)"
    elif source["S3DataType"] not in {"S3Prefix", "ManifestFile"}:
        yield f"S3DataType {source['S3DataType']} of channel {name!r}"
    if item.get("CompressionType", "None") != "None":
        yield f"CompressionType {item['CompressionType']} of channel {name!r} (Pipe mode's)"
    if item.get("RecordWrapperType", "None") != "None":
        yield f"RecordWrapperType {item['RecordWrapperType']} of channel {name!r} (Pipe mode's)"
    if item.get("ShuffleConfig"):
        yield f"ShuffleConfig of channel {name!r}"


def _processing(request: Mapping[str, Any]) -> Iterator[str]:
    yield from _hosts(request["ProcessingResources"]["ClusterConfig"]["InstanceCount"])
    for item in request.get("ProcessingInputs", ()):
        name = item["InputName"]
        source = item.get("S3Input")
        if source is None or item.get("AppManaged"):
            yield f"a dataset definition or app-managed input {name!r} (S3Input works)"
            continue
        if source.get("S3InputMode", "File") != "File":
            yield f"input mode {source['S3InputMode']} of input {name!r} (File works)"
        if source.get("S3CompressionType", "None") != "None":
            yield f"S3CompressionType {source['S3CompressionType']} of input {name!r}"
        if not source.get("LocalPath"):
            yield f"input {name!r} without LocalPath"
    for item in request.get("ProcessingOutputConfig", {}).get("Outputs", ()):
        yield from _processing_output(item)
    yield from _one_place(request.get("ProcessingInputs", ()))


def _one_place(inputs: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Inputs are mounts: one at a place."""
    taken: dict[str, str] = {}
    for item in inputs:
        path = item.get("S3Input", {}).get("LocalPath", "").rstrip("/")
        if path in taken:
            yield f"inputs {taken[path]!r} and {item['InputName']!r} at one LocalPath ({path})"
        if path:
            taken.setdefault(path, item["InputName"])


def _processing_output(item: Mapping[str, Any]) -> Iterator[str]:
    name, target = item["OutputName"], item.get("S3Output")
    if target is None or item.get("AppManaged"):
        yield f"a feature store or app-managed output {name!r} (S3Output works)"
    elif target["S3UploadMode"] != "EndOfJob":
        yield f"S3UploadMode {target['S3UploadMode']} of output {name!r} (EndOfJob works)"
    elif not target.get("LocalPath"):
        yield f"output {name!r} without LocalPath"


def _hosts(count: int) -> Iterator[str]:
    if count != 1:
        yield f"{count} instances (one works)"


def _transform(request: Mapping[str, Any]) -> Iterator[str]:
    source, target = request["TransformInput"], request["TransformOutput"]
    if source.get("CompressionType", "None") != "None":
        yield f"CompressionType {source['CompressionType']}"
    kind = source["DataSource"]["S3DataSource"]["S3DataType"]
    if kind not in {"S3Prefix", "ManifestFile"}:
        yield f"S3DataType {kind}"
    if request.get("DataCaptureConfig"):
        yield "data capture (DataCaptureConfig)"
    if request["TransformResources"]["InstanceCount"] != 1:
        yield f"{request['TransformResources']['InstanceCount']} instances (one works)"
    if target.get("KmsKeyId"):
        yield "encrypted output (TransformOutput.KmsKeyId)"
