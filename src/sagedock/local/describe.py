"""Answers in the service's own form, made of a job's record. Pure. Defaults of the service are
filled in, as clients rely on them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sagedock.contract.processing import max_seconds
from sagedock.local.artifacts import model_uri
from sagedock.local.records import Job, Kind, Transition

Answer = dict[str, Any]


def describe(job: Job) -> Answer:
    """DescribeTrainingJob's or DescribeProcessingJob's answer."""
    make = {
        Kind.TRAINING: _training,
        Kind.PROCESSING: _processing,
        Kind.TRANSFORM: _transform,
    }[job.kind]
    return make(job)


def summary(job: Job) -> Answer:
    """One entry of ListTrainingJobs' or ListProcessingJobs' answer."""
    word = f"{job.kind.capitalize()}Job"
    secondary = {"SecondaryStatus": _secondary(job)} if job.kind is Kind.TRAINING else {}
    return {
        f"{word}Name": job.name,
        f"{word}Arn": job.arn,
        f"{word}Status": str(job.state.status),
        "CreationTime": _time(job.created),
        "LastModifiedTime": _time(job.state.modified),
        **secondary,
        **_given(**{f"{job.kind.capitalize()}EndTime": _time(job.state.ended)}),
    }


def _training(job: Job) -> Answer:
    request, state = job.request, job.state
    return {
        "TrainingJobName": job.name,
        "TrainingJobArn": job.arn,
        "TrainingJobStatus": str(state.status),
        "SecondaryStatus": _secondary(job),
        "HyperParameters": dict(request.get("HyperParameters", {})),
        "AlgorithmSpecification": {
            **request["AlgorithmSpecification"],
            "EnableSageMakerMetricsTimeSeries": bool(
                request["AlgorithmSpecification"].get("MetricDefinitions")
            ),
        },
        "RoleArn": request["RoleArn"],
        "OutputDataConfig": {
            "KmsKeyId": "", "CompressionType": "GZIP", **request["OutputDataConfig"],
        },
        "ResourceConfig": dict(request["ResourceConfig"]),
        "StoppingCondition": {"MaxRuntimeInSeconds": max_seconds(request)},
        # Required in the answer: until the job has ended, it is the place where the model goes.
        "ModelArtifacts": {
            "S3ModelArtifacts": state.model_artifacts or model_uri(request, job.name)
        },
        "CreationTime": _time(job.created),
        "LastModifiedTime": _time(state.modified),
        "SecondaryStatusTransitions": [_transition(item) for item in state.transitions],
        "EnableNetworkIsolation": request.get("EnableNetworkIsolation", False),
        "EnableInterContainerTrafficEncryption": request.get(
            "EnableInterContainerTrafficEncryption", False
        ),
        "EnableManagedSpotTraining": False,
        "ProfilingStatus": "Disabled",
        **_given(
            InputDataConfig=[_channel(item) for item in request.get("InputDataConfig", ())],
            TrainingTimeInSeconds=_training_seconds(job),
            FailureReason=state.failure_reason,
            TrainingStartTime=_time(state.started),
            TrainingEndTime=_time(state.ended),
            FinalMetricDataList=[
                {"MetricName": m.name, "Value": m.value, "Timestamp": _time(m.timestamp)}
                for m in state.metrics
            ],
            Environment=dict(request.get("Environment", {})),
            ExperimentConfig=request.get("ExperimentConfig"),
            VpcConfig=request.get("VpcConfig"),
        ),
    }  # fmt: skip


def _training_seconds(job: Job) -> int | None:
    """Whole seconds, at least one; None before the start. Nothing is billed: that is left out."""
    if job.state.started is None:
        return None
    return max(1, round((job.state.ended or time.time()) - job.state.started))


def _channel(item: Mapping[str, Any]) -> Answer:
    return {"CompressionType": "None", "RecordWrapperType": "None", **item}


def _processing(job: Job) -> Answer:
    request, state = job.request, job.state
    return {
        "ProcessingJobName": job.name,
        "ProcessingJobArn": job.arn,
        "ProcessingJobStatus": str(state.status),
        "ProcessingInputs": [
            {"AppManaged": False, **item} for item in request.get("ProcessingInputs", ())
        ],
        "ProcessingResources": dict(request["ProcessingResources"]),
        "AppSpecification": dict(request["AppSpecification"]),
        "RoleArn": request["RoleArn"],
        "CreationTime": _time(job.created),
        "LastModifiedTime": _time(state.modified),
        **_given(
            ProcessingOutputConfig=_outputs(request),
            StoppingCondition=request.get("StoppingCondition"),
            Environment=dict(request.get("Environment", {})),
            NetworkConfig=request.get("NetworkConfig"),
            ExperimentConfig=request.get("ExperimentConfig"),
            ExitMessage=state.exit_message,
            FailureReason=state.failure_reason,
            ProcessingStartTime=_time(state.started),
            ProcessingEndTime=_time(state.ended),
        ),
    }


def _transform(job: Job) -> Answer:
    request, state = job.request, job.state
    source = {"CompressionType": "None", "SplitType": "None", **request["TransformInput"]}
    target = {"AssembleWith": "None", "KmsKeyId": "", **request["TransformOutput"]}
    return {
        "TransformJobName": job.name,
        "TransformJobArn": job.arn,
        "TransformJobStatus": str(state.status),
        "ModelName": request["ModelName"],
        "TransformInput": source,
        "TransformOutput": target,
        "TransformResources": dict(request["TransformResources"]),
        "CreationTime": _time(job.created),
        **{
            key: request[key]
            for key in (
                "MaxConcurrentTransforms", "MaxPayloadInMB", "BatchStrategy", "Environment",
                "ModelClientConfig", "DataProcessing", "ExperimentConfig",
            )
            if key in request
        },
        **_given(
            FailureReason=state.failure_reason,
            TransformStartTime=_time(state.started),
            TransformEndTime=_time(state.ended),
        ),
    }  # fmt: skip


def _outputs(request: Mapping[str, Any]) -> Answer | None:
    config = request.get("ProcessingOutputConfig")
    if not config:
        return None
    outputs = [{"AppManaged": False, **item} for item in config.get("Outputs", ())]
    return {**config, "Outputs": outputs}


def _secondary(job: Job) -> str:
    return job.state.transitions[-1].status if job.state.transitions else "Pending"


def _transition(item: Transition) -> Answer:
    return {
        "Status": item.status,
        "StartTime": _time(item.started),
        "StatusMessage": item.message,
        **_given(EndTime=_time(item.ended)),
    }


def _time(seconds: float | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def _given(**members: Any) -> Answer:
    return {name: value for name, value in members.items() if value}
