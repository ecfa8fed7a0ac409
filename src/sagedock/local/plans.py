"""From a request to what is to be run: pure, so that every rule of the platform's start can be
tested without an engine."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sagedock.contract import processing as processing_contract
from sagedock.contract.hyperparameters import decode
from sagedock.contract.instances import shm_bytes
from sagedock.contract.metrics import MetricDefinition
from sagedock.contract.paths import ML
from sagedock.contract.training import ChannelConfig, InputDataConfig, ResourceConfig
from sagedock.engine.plan import ISOLATED, ContainerPlan, Mount, TextFile
from sagedock.local import image_names, model_code
from sagedock.local.channels import InputPlan
from sagedock.local.records import Job, Kind
from sagedock.local.settings import CA_TARGET, LocalSettings
from sagedock.local.transform import settings as transform_settings

HOST = "algo-1"
"""Name of the one host (A2.3c: containers must not rely on it)."""

CODE_DELIVERED = "SAGEDOCK_CODE_DELIVERED"
"""Tells the image's supervisor that the code folder holds the submitted code already."""

_DRIVERS, _CODE = "sm_drivers", "code"
"""SDK v3's own channels."""

LABEL = "sagedock"

SERVING_PORT = 8080
"""D3.1."""

HOSTING_GRACE = 30.0
"""Seconds between SIGTERM and SIGKILL for a server (D1.4)."""

TRAINING_GRACE = 120.0
"""Seconds between SIGTERM and SIGKILL (A6.1). For processing no document gives it (K2)."""


@dataclass(frozen=True, kw_only=True)
class JobPlan:
    """Everything needed to run a job's container. `code` is the URI of submitted source code,
    `copies` are inputs that the container gets as its own files instead of mounts."""

    container: ContainerPlan
    files: tuple[TextFile, ...]
    copies: tuple[Mount, ...] = ()
    code: str | None = None
    metrics: tuple[MetricDefinition, ...] = ()
    max_seconds: int
    stop_signal: str
    grace: float = TRAINING_GRACE


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a plan needs to know beyond the request."""

    settings: LocalSettings
    data_id: str
    machine_memory: int
    model: Mapping[str, Any] | None = None
    """Of a transform job: its CreateModel request."""


def inputs(job: Job) -> list[InputPlan]:
    """What is to be laid down before the container starts."""
    if job.kind is Kind.TRAINING:
        return [_channel_input(item) for item in job.request.get("InputDataConfig", ())]
    return [_processing_input(item) for item in job.request.get("ProcessingInputs", ())]


def _channel_input(item: Mapping[str, Any]) -> InputPlan:
    source = item["DataSource"]["S3DataSource"]
    return InputPlan(
        name=item["ChannelName"],
        uri=source["S3Uri"],
        target=ML.channel(item["ChannelName"]),
        is_manifest=source["S3DataType"] == "ManifestFile",
    )


def _processing_input(item: Mapping[str, Any]) -> InputPlan:
    source = item["S3Input"]
    return InputPlan(
        name=item["InputName"],
        uri=source["S3Uri"],
        target=source["LocalPath"].rstrip("/"),
        is_manifest=source["S3DataType"] == "ManifestFile",
    )


def output_paths(job: Job) -> list[str]:
    """A processing job's output folders (C7); a training job's are always the same."""
    outputs = job.request.get("ProcessingOutputConfig", {}).get("Outputs", ())
    return [item["S3Output"]["LocalPath"].rstrip("/") for item in outputs]


def plan(job: Job, mounts: Sequence[Mount], around: Surroundings) -> JobPlan:
    """The container of a job, its inputs laid down as `mounts`."""
    make = {
        Kind.TRAINING: _training,
        Kind.PROCESSING: _processing,
        Kind.TRANSFORM: _transform,
    }[job.kind]
    return make(job, mounts, around)


def _training(job: Job, mounts: Sequence[Mount], around: Surroundings) -> JobPlan:
    request = job.request
    algorithm = request["AlgorithmSpecification"]
    code = submitted_code(request)
    platform = {"TRAINING_JOB_NAME": job.name, "TRAINING_JOB_ARN": job.arn}  # A4.1
    entrypoint = algorithm.get("ContainerEntrypoint")
    arguments = algorithm.get("ContainerArguments")
    own = _changed_by_its_job(request)
    container = _container(
        job, [mount for mount in mounts if mount.target not in own], around,
        image=algorithm["TrainingImage"],
        entrypoint=entrypoint,
        command=arguments if arguments or entrypoint else ["train"],  # A1.1, A1.3
        platform=platform | ({CODE_DELIVERED: "1"} if code else {}),
        isolated=bool(request.get("EnableNetworkIsolation")),
        instance_type=request["ResourceConfig"]["InstanceType"],
        # A5.14: they start empty, whatever the image has there.
        empty=(ML.model, ML.output, *((ML.code,) if code else ())),
    )  # fmt: skip
    return JobPlan(
        container=container,
        files=_training_files(request),
        copies=tuple(mount for mount in mounts if mount.target in own),
        code=code,
        metrics=tuple(
            MetricDefinition(name=item["Name"], regex=item["Regex"])
            for item in algorithm.get("MetricDefinitions", ())
        ),
        max_seconds=processing_contract.max_seconds(request),
        stop_signal="SIGTERM",
        grace=_grace(around),
    )


def submitted_code(request: Mapping[str, Any]) -> str | None:
    """URI of the sourcedir.tar.gz that script mode was given (B4), None for none."""
    text = request.get("HyperParameters", {}).get("sagemaker_submit_directory")
    value = decode(text) if text else None
    return value if isinstance(value, str) and value.startswith("s3://") else None


def _training_files(request: Mapping[str, Any]) -> tuple[TextFile, ...]:
    mode = request["AlgorithmSpecification"]["TrainingInputMode"]
    channels = {
        item["ChannelName"]: ChannelConfig(
            input_mode=item.get("InputMode", mode),
            distribution=item["DataSource"]["S3DataSource"].get(
                "S3DataDistributionType", "FullyReplicated"
            ),
            record_wrapper=item.get("RecordWrapperType", "None"),
            content_type=item.get("ContentType"),
        )
        for item in request.get("InputDataConfig", ())
    }
    resources = ResourceConfig(
        current_host=HOST, hosts=(HOST,), instance_type=request["ResourceConfig"]["InstanceType"]
    )
    return (
        *(TextFile(path=path) for path in (ML.input_data, ML.output_data, ML.checkpoints)),
        _json(ML.hyperparameters, dict(request.get("HyperParameters", {}))),  # A2.1c: always
        _json(ML.input_data_config, InputDataConfig(channels=channels).to_dict()),
        _json(ML.resource_config, resources.to_dict()),
    )


def _changed_by_its_job(request: Mapping[str, Any]) -> frozenset[str]:
    """Channels that a job writes into: SDK v3 lays its drivers and the user's code down as such,
    makes a driver executable and runs the code from its folder."""
    names = {item["ChannelName"] for item in request.get("InputDataConfig", ())}
    if _DRIVERS not in names:
        return frozenset()
    return frozenset(ML.channel(name) for name in names & {_DRIVERS, _CODE})


def _processing(job: Job, mounts: Sequence[Mount], around: Surroundings) -> JobPlan:
    request = job.request
    application = request["AppSpecification"]
    cluster = request["ProcessingResources"]["ClusterConfig"]
    outputs = output_paths(job)
    container = _container(
        job, mounts, around,
        image=application["ImageUri"],
        entrypoint=application.get("ContainerEntrypoint"),
        command=application.get("ContainerArguments"),  # C1, C2
        platform={},
        isolated=bool(request.get("NetworkConfig", {}).get("EnableNetworkIsolation")),
        instance_type=cluster["InstanceType"],
        empty=(ML.output, *outputs),
    )  # fmt: skip
    config = processing_contract.processing_job_config(request, job.arn)
    resources = processing_contract.processing_resource_config(
        HOST, (HOST,), cluster["InstanceType"]
    )
    return JobPlan(
        container=container,
        files=(
            *(TextFile(path=path) for path in outputs),  # C7
            _json(ML.processing_job_config, config),
            _json(ML.processing_resource_config, resources),
        ),
        max_seconds=processing_contract.max_seconds(request),
        stop_signal="SIGINT",  # C3, J15: the documented one
        grace=_grace(around),
    )


def _transform(job: Job, mounts: Sequence[Mount], around: Surroundings) -> JobPlan:
    model = around.model or {}
    container: Mapping[str, Any] = model.get("PrimaryContainer") or next(
        iter(model.get("Containers", ())), {}
    )
    isolated = bool(model.get("EnableNetworkIsolation"))
    planned = _container(
        job, mounts, around,
        image=container.get("Image", ""),
        entrypoint=None,
        command=["serve"],  # D1.1
        platform={
            **model_code.environment(container, around.settings),
            **transform_settings.environment(job.request),
        },
        isolated=isolated,
        instance_type=job.request["TransformResources"]["InstanceType"],
        empty=(),
    )  # fmt: skip
    # Isolated, it has still to be asked: it can reach nothing, this machine reaches it.
    network = ISOLATED if isolated else planned.network
    return JobPlan(
        container=replace(planned, ports=(SERVING_PORT,), network=network),
        files=(),
        max_seconds=0,
        stop_signal="SIGTERM",
        grace=HOSTING_GRACE,
    )


def _grace(around: Surroundings) -> float:
    given = around.settings.stop_grace
    return TRAINING_GRACE if given is None else given


def _container(
    job: Job,
    mounts: Sequence[Mount],
    around: Surroundings,
    *,
    image: str,
    entrypoint: Sequence[str] | None,
    command: Sequence[str] | None,
    platform: Mapping[str, str],
    isolated: bool,
    instance_type: str,
    empty: Sequence[str],
) -> ContainerPlan:
    settings = around.settings
    trust = () if isolated or not settings.ca_bundle else (
        Mount(source=settings.ca_bundle, target=CA_TARGET),
    )  # fmt: skip
    return ContainerPlan(
        name=container_name(job, around.data_id),
        image=image_names.here(image, image_names.USES[job.kind], settings),
        entrypoint=entrypoint,
        command=command,
        environment={
            **({} if isolated else settings.machine_environment()),
            "AWS_REGION": settings.region,
            **platform,
            **job.request.get("Environment", {}),  # A4.2
        },
        hostname=HOST,
        network="none" if isolated else "bridge",  # A4.6
        # Without a network nothing resolves the host's own name, and toolkits wait for that (B5.7).
        extra_hosts={HOST: "127.0.0.1"} if isolated else settings.extra_hosts,
        mounts=(*mounts, *trust),
        empty_volumes=tuple(dict.fromkeys(empty)),
        labels={LABEL: around.data_id, f"{LABEL}.job": job.name, f"{LABEL}.kind": job.kind},
        shm_bytes=settings.shm_bytes or shm_bytes(instance_type, around.machine_memory),
    )


def container_name(job: Job, data_id: str) -> str:
    """The container's name: the same job, the same name, so that a lost one is found again."""
    return f"sagedock-{data_id}-{job.kind}-{job.name}-{HOST}"


def _json(path: str, document: Any) -> TextFile:
    return TextFile(path=path, content=json.dumps(document))
