"""The local SageMaker: methods, arguments and answers of boto3's `sagemaker` client."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sagedock import requests
from sagedock.local import model_data, models, support
from sagedock.local.describe import Answer, describe
from sagedock.local.hosting.operations import HostingService
from sagedock.local.jobs import data_id
from sagedock.local.listing import Listing
from sagedock.local.records import Kind
from sagedock.local.transform import processing

__all__ = ["LocalSageMaker", "data_id"]


class LocalSageMaker(HostingService):
    """SageMaker on this machine: operations of the API, by the names boto3 gives them."""

    def create_training_job(self, **request: Any) -> Answer:
        """CreateTrainingJob. Raises ValidationError, UnsupportedError, ImageNotFoundError,
        EngineUnavailableError, ResourceInUseError, StoreError, OutputError."""
        requests.validate("CreateTrainingJob", request)
        image = request["AlgorithmSpecification"].get("TrainingImage", "")
        output = request["OutputDataConfig"]["S3OutputPath"]
        job = self._create(Kind.TRAINING, request["TrainingJobName"], request, image, [output])
        return {"TrainingJobArn": job.arn}

    def create_processing_job(self, **request: Any) -> Answer:
        """CreateProcessingJob. Raises as `create_training_job` does."""
        requests.validate("CreateProcessingJob", request)
        image = request["AppSpecification"]["ImageUri"]
        outputs = [
            item["S3Output"]["S3Uri"]
            for item in request.get("ProcessingOutputConfig", {}).get("Outputs", ())
            if "S3Output" in item
        ]
        job = self._create(Kind.PROCESSING, request["ProcessingJobName"], request, image, outputs)
        return {"ProcessingJobArn": job.arn}

    def describe_training_job(self, *, TrainingJobName: str) -> Answer:  # noqa: N803
        """DescribeTrainingJob. Raises ResourceNotFoundError."""
        return describe(self.job(Kind.TRAINING, TrainingJobName))

    def describe_processing_job(self, *, ProcessingJobName: str) -> Answer:  # noqa: N803
        """DescribeProcessingJob. Raises ResourceNotFoundError."""
        return describe(self.job(Kind.PROCESSING, ProcessingJobName))

    def list_training_jobs(self, **filters: Any) -> Answer:
        """ListTrainingJobs, with its filters, sorting and paging."""
        return self._list("ListTrainingJobs", "TrainingJobSummaries", Kind.TRAINING, filters)

    def list_processing_jobs(self, **filters: Any) -> Answer:
        """ListProcessingJobs, with its filters, sorting and paging."""
        return self._list("ListProcessingJobs", "ProcessingJobSummaries", Kind.PROCESSING, filters)

    def update_training_job(self, **request: Any) -> Answer:
        """UpdateTrainingJob: of what it can change, local jobs have none; what was asked for is
        checked and noted. Raises ResourceNotFoundError, ValidationError, UnsupportedError."""
        requests.validate("UpdateTrainingJob", request)
        job = self.job(Kind.TRAINING, request["TrainingJobName"])
        resources = support.check_update(job, request)
        if resources:
            self._records.change_request(job, {**job.request, "ResourceConfig": resources})
        notes = support.update_notes(request)
        self._records.update(job, lambda s: replace(s, notes=tuple(dict.fromkeys(s.notes + notes))))
        return {"TrainingJobArn": job.arn}

    def delete_training_job(self, *, TrainingJobName: str) -> None:  # noqa: N803
        """DeleteTrainingJob: the name is free then. Raises ResourceNotFoundError,
        ResourceInUseError for a job that has not ended."""
        self._delete(Kind.TRAINING, TrainingJobName)

    def delete_processing_job(self, *, ProcessingJobName: str) -> None:  # noqa: N803
        """DeleteProcessingJob. Raises as `delete_training_job` does."""
        self._delete(Kind.PROCESSING, ProcessingJobName)

    def stop_training_job(self, *, TrainingJobName: str) -> None:  # noqa: N803
        """StopTrainingJob: the owner sends SIGTERM, then SIGKILL after 120 s (A6.1)."""
        self._stop(Kind.TRAINING, TrainingJobName)

    def stop_processing_job(self, *, ProcessingJobName: str) -> None:  # noqa: N803
        """StopProcessingJob: the owner sends SIGINT (C3), then SIGKILL."""
        self._stop(Kind.PROCESSING, ProcessingJobName)

    # models and transform jobs

    def create_model(self, **request: Any) -> Answer:
        """CreateModel. Raises ValidationError, UnsupportedError, StoreError where the model's data
        is not there."""
        requests.validate("CreateModel", request)
        model = models.new_model(request, self._place.arn("model", request["ModelName"]))
        for container in model.containers:
            model_data.check_there(self.store, container)
        self._models.add(model)
        self._tags.put(model.arn, request.get("Tags", ()))
        return {"ModelArn": model.arn}

    def describe_model(self, *, ModelName: str) -> Answer:  # noqa: N803
        """DescribeModel. Raises ResourceNotFoundError."""
        return models.describe(self._models.get(ModelName))

    def list_models(self, **filters: Any) -> Answer:
        """ListModels, with its filters, sorting and paging."""
        requests.validate("ListModels", filters)
        rows = [models.summary(model) for model in self._models.list()]
        return Listing(member="Models", name="ModelName").page(rows, filters)

    def delete_model(self, *, ModelName: str) -> None:  # noqa: N803
        """DeleteModel: its artifacts stay. Raises ResourceNotFoundError."""
        arn = self._models.get(ModelName).arn
        self._models.delete(ModelName)
        self._tags.forget(arn)

    def create_transform_job(self, **request: Any) -> Answer:
        """CreateTransformJob. Raises as `create_training_job` does, and ResourceNotFoundError for
        an unknown model."""
        requests.validate("CreateTransformJob", request)
        processing.check_paths(request)
        model = self._models.get(request["ModelName"])
        support.check_transformable(model)
        image = model.container["Image"]
        output = request["TransformOutput"]["S3OutputPath"]
        job = self._create(Kind.TRANSFORM, request["TransformJobName"], request, image, [output])
        return {"TransformJobArn": job.arn}

    def describe_transform_job(self, *, TransformJobName: str) -> Answer:  # noqa: N803
        """DescribeTransformJob. Raises ResourceNotFoundError."""
        return describe(self.job(Kind.TRANSFORM, TransformJobName))

    def list_transform_jobs(self, **filters: Any) -> Answer:
        """ListTransformJobs, with its filters, sorting and paging."""
        return self._list("ListTransformJobs", "TransformJobSummaries", Kind.TRANSFORM, filters)

    def stop_transform_job(self, *, TransformJobName: str) -> None:  # noqa: N803
        """StopTransformJob: what is not written whole is dropped (E13)."""
        self._stop(Kind.TRANSFORM, TransformJobName)
