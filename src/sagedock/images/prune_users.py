"""Which images the account's SageMaker uses: models and model packages, endpoints, jobs that run.

What a service does not know of (`sagedock up` has no model packages) it can't have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from sagedock.aws.account import Account, told
from sagedock.errors import AwsError

T = TypeVar("T")

_UNKNOWN = "UnknownOperation"
_GONE = ("Could not find", "does not exist", "not found", "NotFound")
_HINT = (
    "To see what is in use the caller needs sagemaker:ListModels, DescribeModel, and the same of "
    "ModelPackages, ModelPackageGroups, Endpoints, EndpointConfigs, InferenceComponents, "
    "TrainingJobs, ProcessingJobs, TransformJobs and HyperParameterTuningJobs."
)
_RUNNING = ("InProgress", "Stopping")
_KEYS = frozenset({"Image", "TrainingImage", "ImageUri", "SpecifiedImage", "ResolvedImage"})
"""Members whose value is an image's reference, wherever they stand in an answer."""


@dataclass(frozen=True, kw_only=True)
class Use:
    """An image, as it is named, and what uses it: `model churn`."""

    image: str
    user: str


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """How things of one kind are listed and described."""

    word: str
    list: str
    items: str
    name: str
    describe: str
    parameter: str
    statuses: tuple[str, ...] = ()


_KINDS = (
    _Kind(word="model", list="list_models", items="Models", name="ModelName",
          describe="describe_model", parameter="ModelName"),
    _Kind(word="endpoint", list="list_endpoints", items="Endpoints", name="EndpointName",
          describe="describe_endpoint", parameter="EndpointName"),
    _Kind(word="inference component", list="list_inference_components",
          items="InferenceComponents", name="InferenceComponentName",
          describe="describe_inference_component", parameter="InferenceComponentName"),
    _Kind(word="model package", list="list_model_packages", items="ModelPackageSummaryList",
          name="ModelPackageArn", describe="describe_model_package",
          parameter="ModelPackageName"),
    _Kind(word="training job", list="list_training_jobs", items="TrainingJobSummaries",
          name="TrainingJobName", describe="describe_training_job",
          parameter="TrainingJobName", statuses=_RUNNING),
    _Kind(word="processing job", list="list_processing_jobs", items="ProcessingJobSummaries",
          name="ProcessingJobName", describe="describe_processing_job",
          parameter="ProcessingJobName", statuses=_RUNNING),
    _Kind(word="tuning job", list="list_hyper_parameter_tuning_jobs",
          items="HyperParameterTuningJobSummaries", name="HyperParameterTuningJobName",
          describe="describe_hyper_parameter_tuning_job",
          parameter="HyperParameterTuningJobName", statuses=_RUNNING),
)  # fmt: skip


def uses(caller: Account) -> list[Use]:
    """Every use of an image that SageMaker knows of in the caller's region. A job of which
    nothing but its model is named (transform) uses what the model does. Raises AwsError where any
    of it can't be asked."""
    client = caller.client("sagemaker")
    found: list[Use] = []
    for kind in _KINDS:
        for extra in _selections(client, kind):
            for name in _names(client, kind, extra):
                document = _described(client, kind, name)
                found += [
                    Use(image=image, user=f"{kind.word} {name}") for image in images_in(document)
                ]
    return found


def images_in(document: Any) -> Iterator[str]:
    """References to images, wherever they stand in an answer."""
    if isinstance(document, Mapping):
        for key, value in document.items():
            if key in _KEYS and isinstance(value, str):
                yield value
            else:
                yield from images_in(value)
        if isinstance(document.get("ImageDigest"), str) and isinstance(document.get("Image"), str):
            yield f"{_untagged(document['Image'])}@{document['ImageDigest']}"
    elif isinstance(document, list | tuple):
        for item in document:
            yield from images_in(item)


def _untagged(image: str) -> str:
    name = image.partition("@")[0]
    head, colon, tag = name.rpartition(":")
    return head if colon and "/" not in tag else name


def _selections(client: Any, kind: _Kind) -> Iterable[Mapping[str, str]]:
    """What lists have to be asked for: by status, and of packages also by their group."""
    if kind.statuses:
        return [{"StatusEquals": status} for status in kind.statuses]
    if kind.word == "model package":
        groups = _pages(client, "list_model_package_groups", {}, "ModelPackageGroupSummaryList")
        names = [one["ModelPackageGroupName"] for one in groups]
        return [{}, *({"ModelPackageGroupName": name} for name in names)]
    return [{}]


def _names(client: Any, kind: _Kind, extra: Mapping[str, str]) -> list[str]:
    return [one[kind.name] for one in _pages(client, kind.list, extra, kind.items)]


def _pages(client: Any, method: str, extra: Mapping[str, str], items: str) -> list[Any]:
    def ask() -> list[Any]:
        pages = client.get_paginator(method).paginate(**extra)
        return [one for page in pages for one in page[items]]

    return _asked(f"What is in use ({method})", ask, (_UNKNOWN,), [])


def _described(client: Any, kind: _Kind, name: str) -> Mapping[str, Any]:
    """One thing; nothing where it has gone meanwhile."""

    def ask() -> Mapping[str, Any]:
        found: Mapping[str, Any] = getattr(client, kind.describe)(**{kind.parameter: name})
        return found

    return _asked(f"What is in use ({kind.word} {name})", ask, _GONE, {})


def _asked(what: str, ask: Callable[[], T], absent: Iterable[str], nothing: T) -> T:
    try:
        with told(what, _HINT):
            return ask()
    except AwsError as error:
        if any(word in error.message for word in absent):
            return nothing
        raise
