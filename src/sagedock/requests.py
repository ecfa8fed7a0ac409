"""A job in SageMaker's own words: builds requests and validates them.

The request is the job: whoever makes one (terminal, Estimator, boto3, an SDK) and whoever runs it
(AWS, LocalSageMaker) mean the same document. Must not know who will run it.

Validation comes from botocore's service model. botocore itself checks types, required members and
minimum lengths; patterns, enums and maxima stand in the model too and are checked here, with the
service's own wording.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from sagedock.contract.patterns import matches
from sagedock.contract.request_rules import documented_rules
from sagedock.errors import ValidationError

if TYPE_CHECKING:
    from botocore.model import ServiceModel, Shape

Request = dict[str, Any]

_SHOWN = 200
"""Characters of a value, or of a list of allowed values, that a message shows."""


@cache  # a server has a dozen, and reading one again costs 0.1 s
def service_model(service: str = "sagemaker") -> ServiceModel:
    """botocore's model of a service."""
    from botocore.loaders import Loader
    from botocore.model import ServiceModel

    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


def validate(operation: str, request: Mapping[str, Any], service: str = "sagemaker") -> None:
    """Raise ValidationError unless AWS would take `request` for `operation` of `service`.

    First the form (botocore: types, required and unknown members), then the model's constraints,
    then rules that only the documentation states.
    """
    shape = service_model(service).operation_model(operation).input_shape
    if shape is None:  # pragma: no cover - every job operation has an input
        return
    _check_form(operation, request, shape)
    problems = [*_violations(request, shape, ""), *documented_rules(operation, request)]
    if problems:
        count = len(problems)
        noun = "error" if count == 1 else "errors"
        raise ValidationError(f"{count} validation {noun} detected: " + "; ".join(problems))


def _check_form(operation: str, request: Mapping[str, Any], shape: Shape) -> None:
    from botocore.validate import ParamValidator

    report = ParamValidator().validate(dict(request), shape)
    if report.has_errors():
        lines = "\n".join(
            _clipped(line, 2 * _SHOWN) for line in report.generate_report().split("\n")
        )
        raise ValidationError(f"Parameter validation failed for {operation}:\n{lines}")


def _violations(value: Any, shape: Shape, path: str) -> Iterator[str]:
    """Every constraint of the model that `value` breaks, as the service would word it."""
    match shape.type_name:
        case "structure":
            for name, member in value.items():
                yield from _violations(member, shape.members[name], _member(path, name))  # type: ignore[attr-defined]
        case "list":
            yield from _length(value, shape, path)
            for number, item in enumerate(value, 1):
                yield from _violations(item, shape.member, f"{path}.{number}.member")  # type: ignore[attr-defined]
        case "map":
            yield from _length(value, shape, path)
            for key, item in value.items():
                yield from _violations(key, shape.key, path)  # type: ignore[attr-defined]
                yield from _violations(item, shape.value, f"{path}.{key}.member")  # type: ignore[attr-defined]
        case "string":
            yield from _length(value, shape, path)
            yield from _text(value, shape, path)
        case "blob":
            yield from _length(value, shape, path)
        case "integer" | "long" | "float" | "double":
            yield from _bounds(value, shape, path, "value")


def _member(path: str, name: str) -> str:
    lowered = name[:1].lower() + name[1:]
    return f"{path}.{lowered}" if path else lowered


def _failed(value: Any, path: str, constraint: str) -> str:
    if isinstance(value, bytes | bytearray):
        value = f"{len(value):,} bytes"
    shown, place = _clipped(str(value), _SHOWN), _clipped(path, _SHOWN)
    return f"Value '{shown}' at '{place}' failed to satisfy constraint: Member must {constraint}"


def _clipped(text: str, limit: int) -> str:
    """`text` short enough to be read: its beginning and its end."""
    if len(text) <= limit:
        return text
    head, tail = limit * 3 // 4, limit // 4
    return f"{text[:head]}… ({len(text) - head - tail} more characters) …{text[-tail:]}"


def _length(value: Any, shape: Shape, path: str) -> Iterator[str]:
    yield from _bounds(value, shape, path, "length", size=len(value))


def _bounds(
    value: Any, shape: Shape, path: str, what: str, size: float | None = None
) -> Iterator[str]:
    number = value if size is None else size
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and number < low:
        yield _failed(value, path, f"have {what} greater than or equal to {low}")
    if high is not None and number > high:
        yield _failed(value, path, f"have {what} less than or equal to {high}")


def _text(value: str, shape: Shape, path: str) -> Iterator[str]:
    allowed = shape.metadata.get("enum")
    if allowed and value not in allowed:
        yield _failed(value, path, _enum_constraint(value, allowed))
    pattern = shape.metadata.get("pattern")
    if pattern and not matches(pattern, value):
        yield _failed(value, path, f"satisfy regular expression pattern: {pattern}")


def _enum_constraint(value: str, allowed: Sequence[str]) -> str:
    """The service's own words, a long list cut, and what may have been meant."""
    text = ", ".join(allowed)
    if len(text) > _SHOWN:
        text = f"{text[:_SHOWN].rpartition(', ')[0]}, … {len(allowed)} in all"
    close = difflib.get_close_matches(value, allowed, n=3, cutoff=0.7)
    hint = f" (did you mean {' or '.join(close)}?)" if close else ""
    return f"satisfy enum value set: [{text}]{hint}"


# Building


def training_request(
    *,
    job_name: str,
    image_uri: str,
    role: str,
    instance_type: str,
    output_uri: str,
    instance_count: int = 1,
    volume_size: int = 30,
    max_run: int = 86400,
    hyperparameters: Mapping[str, str] | None = None,
    channels: Sequence[Request] = (),
    metric_definitions: Sequence[Mapping[str, str]] = (),
    environment: Mapping[str, str] | None = None,
    entrypoint: Sequence[str] = (),
    arguments: Sequence[str] = (),
    input_mode: str = "File",
    tags: Sequence[Mapping[str, str]] = (),
    network_isolation: bool = False,
    compression: str = "GZIP",
    more: Mapping[str, Any] | None = None,
) -> Request:
    """A CreateTrainingJob request. `channels` come from `channel`; seconds and GB as in the API.
    `more` are further members, such as `cloud_training` makes: merged in, level by level."""
    algorithm: Request = {"TrainingImage": image_uri, "TrainingInputMode": input_mode}
    algorithm |= _given(
        MetricDefinitions=[dict(item) for item in metric_definitions],
        ContainerEntrypoint=list(entrypoint),
        ContainerArguments=list(arguments),
    )
    output: Request = {"S3OutputPath": output_uri}
    if compression != "GZIP":
        output["CompressionType"] = compression
    request: Request = {
        "TrainingJobName": job_name,
        "AlgorithmSpecification": algorithm,
        "RoleArn": role,
        "OutputDataConfig": output,
        "ResourceConfig": {
            "InstanceType": instance_type,
            "InstanceCount": instance_count,
            "VolumeSizeInGB": volume_size,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": max_run},
        **_given(
            HyperParameters=dict(hyperparameters or {}),
            InputDataConfig=list(channels),
            Environment=dict(environment or {}),
            Tags=[dict(tag) for tag in tags],
            EnableNetworkIsolation=network_isolation,
        ),
    }
    return merged(request, more or {})


def channel(
    name: str,
    uri: str,
    *,
    content_type: str | None = None,
    distribution: str = "FullyReplicated",
    data_type: str = "S3Prefix",
    input_mode: str | None = None,
    compression: str | None = None,
    record_wrapping: str | None = None,
) -> Request:
    """One entry of InputDataConfig (A2.2a, A3.7)."""
    source = {"S3DataType": data_type, "S3Uri": uri, "S3DataDistributionType": distribution}
    return {
        "ChannelName": name,
        "DataSource": {"S3DataSource": source},
        **_given(
            ContentType=content_type,
            InputMode=input_mode,
            CompressionType=compression,
            RecordWrapperType=record_wrapping,
        ),
    }


def processing_request(
    *,
    job_name: str,
    image_uri: str,
    role: str,
    instance_type: str,
    instance_count: int = 1,
    volume_size: int = 30,
    max_run: int | None = None,
    entrypoint: Sequence[str] = (),
    arguments: Sequence[str] = (),
    inputs: Sequence[Request] = (),
    outputs: Sequence[Request] = (),
    environment: Mapping[str, str] | None = None,
    tags: Sequence[Mapping[str, str]] = (),
    network_isolation: bool = False,
    more: Mapping[str, Any] | None = None,
) -> Request:
    """A CreateProcessingJob request, from `processing_input` and `processing_output` entries;
    `more` as in `training_request`."""
    cluster = {
        "InstanceCount": instance_count,
        "InstanceType": instance_type,
        "VolumeSizeInGB": volume_size,
    }
    application: Request = {"ImageUri": image_uri}
    application |= _given(ContainerEntrypoint=list(entrypoint), ContainerArguments=list(arguments))
    request: Request = {
        "ProcessingJobName": job_name,
        "AppSpecification": application,
        "RoleArn": role,
        "ProcessingResources": {"ClusterConfig": cluster},
        **_given(
            ProcessingInputs=list(inputs),
            ProcessingOutputConfig={"Outputs": list(outputs)} if outputs else None,
            StoppingCondition={"MaxRuntimeInSeconds": max_run} if max_run else None,
            Environment=dict(environment or {}),
            Tags=[dict(tag) for tag in tags],
            NetworkConfig={"EnableNetworkIsolation": True} if network_isolation else None,
        ),
    }
    return merged(request, more or {})


def processing_input(
    name: str,
    uri: str,
    local_path: str,
    *,
    data_type: str = "S3Prefix",
    input_mode: str = "File",
    distribution: str = "FullyReplicated",
    compression: str = "None",
) -> Request:
    """One entry of ProcessingInputs (C11)."""
    return {
        "InputName": name,
        "AppManaged": False,
        "S3Input": {
            "S3Uri": uri,
            "LocalPath": local_path,
            "S3DataType": data_type,
            "S3InputMode": input_mode,
            "S3DataDistributionType": distribution,
            "S3CompressionType": compression,
        },
    }


def processing_output(
    name: str, uri: str, local_path: str, *, upload_mode: str = "EndOfJob"
) -> Request:
    """One entry of ProcessingOutputConfig.Outputs (C10)."""
    return {
        "OutputName": name,
        "AppManaged": False,
        "S3Output": {"S3Uri": uri, "LocalPath": local_path, "S3UploadMode": upload_mode},
    }


def transform_request(
    *,
    job_name: str,
    model_name: str,
    data_uri: str,
    output_uri: str,
    instance_type: str,
    instance_count: int = 1,
    data_type: str = "S3Prefix",
    content_type: str | None = None,
    split_type: str | None = None,
    compression_type: str | None = None,
    accept: str | None = None,
    assemble_with: str | None = None,
    strategy: str | None = None,
    max_concurrent: int | None = None,
    max_payload: int | None = None,
    environment: Mapping[str, str] | None = None,
    client_config: Mapping[str, int] | None = None,
    processing: Mapping[str, str | None] | None = None,
    tags: Sequence[Mapping[str, str]] = (),
    more: Mapping[str, Any] | None = None,
) -> Request:
    """A CreateTransformJob request. `max_payload` in MB, 0 for no limit (E5); `more` as in
    `training_request`."""
    source = {"DataSource": {"S3DataSource": {"S3DataType": data_type, "S3Uri": data_uri}}}
    payload = {} if max_payload is None else {"MaxPayloadInMB": max_payload}
    request: Request = {
        "TransformJobName": job_name,
        "ModelName": model_name,
        "TransformInput": {
            **source,
            **_given(
                ContentType=content_type, SplitType=split_type, CompressionType=compression_type
            ),
        },
        "TransformOutput": {
            "S3OutputPath": output_uri,
            **_given(Accept=accept, AssembleWith=assemble_with),
        },
        "TransformResources": {"InstanceType": instance_type, "InstanceCount": instance_count},
        **payload,
        **_given(
            BatchStrategy=strategy,
            MaxConcurrentTransforms=max_concurrent,
            Environment=dict(environment or {}),
            ModelClientConfig=dict(client_config or {}),
            DataProcessing=_given(**(processing or {})),
            Tags=[dict(tag) for tag in tags],
        ),
    }
    return merged(request, more or {})


def merged(request: Mapping[str, Any], more: Mapping[str, Any]) -> Request:
    """`request` with `more`'s members, structures in both joined; empty ones are left out."""
    found = dict(request)
    for name, value in more.items():
        if isinstance(value, Mapping) and isinstance(found.get(name), Mapping):
            found[name] = merged(found[name], value)
        elif value:
            found[name] = merged({}, value) if isinstance(value, Mapping) else value
    return {name: value for name, value in found.items() if value != {} or name in request}


def _given(**members: Any) -> Request:
    """Members that say something: empty ones are left out, as the SDKs do."""
    return {name: value for name, value in members.items() if value}
