"""What of a job goes to MLflow: parameters, tags, metrics, status, as values. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

from sagedock.contract.hyperparameters import user_hyperparameters
from sagedock.contract.metrics import MetricDefinition, MetricScanner
from sagedock.local.records import Kind

JOB = "sagedock.job_arn"
"""The tag that a job's run is found by."""

_STATUS = {"Completed": "FINISHED", "Failed": "FAILED", "Stopped": "KILLED"}
_LONGEST_PARAMETER, _LONGEST_TAG = 6000, 5000
_NOT_IN_NAMES = re.compile(r"[^\w\-. :/]")
_OPTION = re.compile(r"--?([A-Za-z][\w\-]*)(?:=(.*))?", re.S)
_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})


class Line(Protocol):
    """A line of a log. `stamp` is its time, RFC 3339."""

    @property
    def stamp(self) -> str: ...
    @property
    def text(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class Point:
    """A metric's value; `timestamp` in milliseconds since the epoch, `step` counts from 0."""

    name: str
    value: float
    timestamp: int
    step: int


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What goes to a run. `status` and `ended` (milliseconds) are None while the job goes on."""

    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    points: Sequence[Point] = ()
    status: str | None = None
    ended: int | None = None


def of_request(kind: Kind, request: Mapping[str, Any]) -> Facts:
    """What is known when a job starts. Variables stay out of it: they may be secrets."""
    parameters, tags = {
        Kind.TRAINING: _training,
        Kind.PROCESSING: _processing,
        Kind.TRANSFORM: _transform,
    }[kind](request)
    tags = {"kind": kind.value, "job_name": request[f"{kind.capitalize()}JobName"], **tags}
    tags |= {f"tag.{tag['Key']}": tag["Value"] for tag in request.get("Tags", ())}
    return Facts(parameters=_parameters(parameters), tags=_tags(tags))


def of_end(kind: Kind, answer: Mapping[str, Any], lines: Iterable[Line] = ()) -> Facts:
    """What a description says of a job, and its log of the metrics."""
    word = kind.capitalize()
    status = answer[f"{word}JobStatus"]
    found = {"status": status, "job_arn": answer[f"{word}JobArn"]}
    if answer.get("FailureReason"):
        found["failure_reason"] = answer["FailureReason"]
    if artifacts := answer.get("ModelArtifacts", {}).get("S3ModelArtifacts"):
        found["model"] = artifacts
    ended = answer.get(f"{word}EndTime")
    return Facts(
        parameters={},
        tags=_tags(found),
        points=_points(answer, lines),
        status=_STATUS.get(status),
        ended=_milliseconds(ended) if ended else None,
    )


def in_container(uri: str, kind: Kind) -> tuple[bool, str]:
    """Whether a job's container can use a tracking URI; if not, why (empty: nobody would)."""
    if kind is Kind.TRANSFORM:
        return False, ""  # variables there are a request's, and its container a server
    parts = urlsplit(uri)
    if parts.scheme == "arn":
        return True, ""
    if parts.scheme not in {"http", "https"}:
        return False, f"{uri} is a store of this machine"
    if parts.username or parts.password:
        return False, "its URI holds a password, and a job's variables can be read by others"
    if parts.hostname in _LOCAL_HOSTS:
        return False, f"{parts.hostname} is the container itself there"
    return True, ""


def _training(request: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    resources = request.get("ResourceConfig", {})
    channels = {
        f"input.{item['ChannelName']}": _source(item) for item in request.get("InputDataConfig", ())
    }
    tags = {
        "image": request.get("AlgorithmSpecification", {}).get("TrainingImage", ""),
        **_instances(resources),
        **channels,
        "output": request.get("OutputDataConfig", {}).get("S3OutputPath", ""),
    }
    return user_hyperparameters(request.get("HyperParameters", {})), tags


def _processing(request: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    application = request.get("AppSpecification", {})
    inputs = {
        f"input.{item['InputName']}": item.get("S3Input", {}).get("S3Uri", "")
        for item in request.get("ProcessingInputs", ())
    }
    outputs = {
        f"output.{item['OutputName']}": item.get("S3Output", {}).get("S3Uri", "")
        for item in request.get("ProcessingOutputConfig", {}).get("Outputs", ())
    }
    tags = {
        "image": application.get("ImageUri", ""),
        "entrypoint": " ".join(application.get("ContainerEntrypoint", ())),
        **_instances(request.get("ProcessingResources", {}).get("ClusterConfig", {})),
        **inputs,
        **outputs,
    }
    return dict(_options(application.get("ContainerArguments", ()))), tags


def _transform(request: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    source, target = request.get("TransformInput", {}), request.get("TransformOutput", {})
    parameters = {
        "BatchStrategy": request.get("BatchStrategy"),
        "MaxPayloadInMB": request.get("MaxPayloadInMB"),
        "MaxConcurrentTransforms": request.get("MaxConcurrentTransforms"),
        "ContentType": source.get("ContentType"),
        "SplitType": source.get("SplitType"),
        "AssembleWith": target.get("AssembleWith"),
        **request.get("DataProcessing", {}),
    }
    tags = {
        "model": request.get("ModelName", ""),
        **_instances(request.get("TransformResources", {})),
        "input": source.get("DataSource", {}).get("S3DataSource", {}).get("S3Uri", ""),
        "output": target.get("S3OutputPath", ""),
    }
    return {name: str(value) for name, value in parameters.items() if value is not None}, tags


def _instances(resources: Mapping[str, Any]) -> dict[str, str]:
    members = {"instance_type": "InstanceType", "instance_count": "InstanceCount"}
    return {name: str(resources[member]) for name, member in members.items() if member in resources}


def _source(channel: Mapping[str, Any]) -> str:
    source = channel.get("DataSource", {})
    place = source.get("S3DataSource") or source.get("FileSystemDataSource") or {}
    return str(place.get("S3Uri") or place.get("DirectoryPath") or "")


def _options(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """`--ratio 0.2`, `--ratio=0.2`, a bare `--fast` as parameters; what else there is, joined."""
    rest, waiting = [], list(arguments)
    while waiting:
        found = _OPTION.fullmatch(text := waiting.pop(0))
        if found is None:
            rest.append(text)
        elif found[2] is not None or not waiting or _OPTION.fullmatch(waiting[0]):
            yield found[1], "" if found[2] is None else found[2]
        else:
            yield found[1], waiting.pop(0)
    if rest:
        yield "arguments", " ".join(rest)


def _points(answer: Mapping[str, Any], lines: Iterable[Line]) -> list[Point]:
    """Each value that the log has, in its order; and last values that the log does not have."""
    specified = answer.get("AlgorithmSpecification", {}).get("MetricDefinitions", ())
    definitions = [MetricDefinition(name=d["Name"], regex=d["Regex"]) for d in specified]
    scanner, steps, points = MetricScanner(definitions), dict[str, int](), list[Point]()
    for line in lines if definitions else ():
        stamp = _seconds(line.stamp)
        for found in scanner.feed(line.text, stamp):
            step = steps[found.name] = steps.get(found.name, -1) + 1
            points.append(_point(found.name, found.value, int(stamp * 1000), step))
    for last in answer.get("FinalMetricDataList", ()):
        if last["MetricName"] not in steps:
            moment = _milliseconds(last["Timestamp"])
            points.append(_point(last["MetricName"], last["Value"], moment, 0))
    return points


def _point(name: str, value: float, timestamp: int, step: int) -> Point:
    return Point(name=_name(name), value=float(value), timestamp=timestamp, step=step)


def _seconds(stamp: str) -> float:
    """RFC 3339 with as many digits of a second as there are."""
    whole, _, fraction = stamp.removesuffix("Z").partition(".")
    moment = datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp()
    return moment + float(f"0.{fraction or 0}")


def _milliseconds(moment: datetime | float) -> int:
    seconds = moment.timestamp() if isinstance(moment, datetime) else float(moment)
    return int(seconds * 1000)


def _name(text: str) -> str:
    return _NOT_IN_NAMES.sub("_", text)


def _parameters(found: Mapping[str, str]) -> dict[str, str]:
    return {_name(name): text[:_LONGEST_PARAMETER] for name, text in found.items()}


def _tags(found: Mapping[str, str]) -> dict[str, str]:
    return {f"sagedock.{_name(name)}": text[:_LONGEST_TAG] for name, text in found.items() if text}
