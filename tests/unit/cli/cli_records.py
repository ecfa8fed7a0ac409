"""Records of jobs that nobody had to run."""

from sagedock.local.records import Job, JobState, Kind, Metric, Status, Transition

CREATED = 1795507621.0
"""2026-11-24 08:07:01 UTC."""


def training_job(name: str, created: float = CREATED, **state: object) -> Job:
    """A completed training job's record: 0.5 s of staging, 3 in the container, 1 of packaging."""
    times = (("Starting", 0.0), ("Training", 0.5), ("Uploading", 3.5), ("Completed", 4.5))
    ends = [start for _, start in times[1:]] + [None]
    transitions = tuple(
        Transition(
            status=status,
            message=f"{status}.",
            started=created + start,
            ended=None if end is None else created + end,
        )
        for (status, start), end in zip(times, ends, strict=True)
    )
    facts = {
        "status": Status.COMPLETED,
        "transitions": transitions,
        "started": created + 0.5,
        "ended": created + 4.5,
        "modified": created + 4.5,
        "model_artifacts": f"s3://results/{name}/output/model.tar.gz",
        "metrics": (
            Metric(name="validation:error", value=0.0625, timestamp=created + 3),
            Metric(name="loss", value=float("nan"), timestamp=created + 3),
        ),
        "notes": ("a remark",),
    }
    return Job(
        kind=Kind.TRAINING,
        name=name,
        arn=f"arn:aws:sagemaker:us-east-1:000000000000:training-job/{name}",
        created=created,
        request={
            "TrainingJobName": name,
            "AlgorithmSpecification": {"TrainingImage": "an/image", "TrainingInputMode": "File"},
            "RoleArn": "arn:aws:iam::000000000000:role/SageMakerLocalRole",
            "OutputDataConfig": {"S3OutputPath": "s3://results"},
            "ResourceConfig": {
                "InstanceType": "ml.m5.large",
                "InstanceCount": 1,
                "VolumeSizeInGB": 30,
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
            "HyperParameters": {"epochs": "3"},
        },
        state=JobState(**{**facts, **state}),
    )


def processing_job(name: str, created: float = CREATED) -> Job:
    """A failed processing job's record."""
    return Job(
        kind=Kind.PROCESSING,
        name=name,
        arn=f"arn:aws:sagemaker:us-east-1:000000000000:processing-job/{name}",
        created=created,
        request={
            "ProcessingJobName": name,
            "AppSpecification": {"ImageUri": "an/image", "ContainerEntrypoint": ["python3", "x"]},
            "RoleArn": "arn:aws:iam::000000000000:role/SageMakerLocalRole",
            "ProcessingResources": {
                "ClusterConfig": {
                    "InstanceType": "ml.m5.large",
                    "InstanceCount": 1,
                    "VolumeSizeInGB": 30,
                }
            },
        },
        state=JobState(
            status=Status.FAILED, ended=created + 2, modified=created + 2, failure_reason="it broke"
        ),
    )


def transform_job(name: str, created: float = CREATED) -> Job:
    """A completed transform job's record."""
    return Job(
        kind=Kind.TRANSFORM,
        name=name,
        arn=f"arn:aws:sagemaker:us-east-1:000000000000:transform-job/{name}",
        created=created,
        request={
            "TransformJobName": name,
            "ModelName": "a-model",
            "TransformInput": {
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://in/x"}}
            },
            "TransformOutput": {"S3OutputPath": "s3://results/scores"},
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        },
        state=JobState(status=Status.COMPLETED, modified=created),
    )
