"""Batch transform: every object of an input through a model, with SDK v2's argument names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sagedock import cloud_requests, requests
from sagedock.errors import UsageError
from sagedock.launch.job import LaunchedJob
from sagedock.launch.place import Place, place_of
from sagedock.launch.tracking.place import tracked
from sagedock.local.records import Kind
from sagedock.local.transform.processing import check_paths
from sagedock.store.uri import S3Uri


class Transformer:
    """Runs transform jobs with the model `model_name`.

    `output_path` is an s3:// prefix or a local folder, by default
    `s3://<default bucket>/<job>`; `max_payload` in MB. `tracking_uri` and `experiment_name` are
    MLflow's, as the Estimator's.
    """

    def __init__(
        self,
        model_name: str,
        instance_count: int = 1,
        instance_type: str | None = None,
        *,
        strategy: str | None = None,
        assemble_with: str | None = None,
        output_path: str | Path | None = None,
        accept: str | None = None,
        max_concurrent_transforms: int | None = None,
        max_payload: int | None = None,
        tags: Sequence[Mapping[str, str]] | None = None,
        env: Mapping[str, str] | None = None,
        base_transform_job_name: str | None = None,
        sagemaker_session: Place | None = None,
        output_kms_key: str | None = None,
        volume_kms_key: str | None = None,
        tracking_uri: str | None = None,
        experiment_name: str | None = None,
    ) -> None:
        self.sagemaker_session = tracked(place_of(sagemaker_session), tracking_uri, experiment_name)
        self.model_name = model_name
        self.instance_count, self.instance_type = instance_count, instance_type
        self.strategy, self.assemble_with, self.accept = strategy, assemble_with, accept
        self.output_path = output_path
        self.max_concurrent_transforms, self.max_payload = max_concurrent_transforms, max_payload
        self.tags, self.env = tags or (), dict(env or {})
        self.base_transform_job_name = base_transform_job_name
        self.output_kms_key, self.volume_kms_key = output_kms_key, volume_kms_key
        self.latest_transform_job: LaunchedJob | None = None

    def transform(
        self,
        data: str | Path,
        data_type: str = "S3Prefix",
        content_type: str | None = None,
        compression_type: str | None = None,
        split_type: str | None = None,
        job_name: str | None = None,
        input_filter: str | None = None,
        output_filter: str | None = None,
        join_source: str | None = None,
        experiment_config: Mapping[str, str] | None = None,
        *,
        wait: bool = True,
        logs: bool = True,
        model_client_config: Mapping[str, int] | None = None,
    ) -> None:
        """Transform `data` (s3://, file:// or a path): each object to `<key>.out` below
        `output_path`. Filters are JSONPaths of each record; `join_source` "Input" puts records
        and answers together (E14, E15).

        With `wait` the job is over when this returns: JobFailedError if it Failed. Ctrl-C stops a
        job on this machine; one on AWS goes on. Without `wait` it runs by itself.
        """
        request = self.prepare(
            data, data_type, content_type, compression_type, split_type, job_name, input_filter,
            output_filter, join_source, experiment_config,
            model_client_config=model_client_config,
        )  # fmt: skip
        job = LaunchedJob.start(self.sagemaker_session, Kind.TRANSFORM, request, wait=wait)
        self.latest_transform_job = job
        if wait:
            job.wait(logs=logs)

    def prepare(
        self,
        data: str | Path,
        data_type: str = "S3Prefix",
        content_type: str | None = None,
        compression_type: str | None = None,
        split_type: str | None = None,
        job_name: str | None = None,
        input_filter: str | None = None,
        output_filter: str | None = None,
        join_source: str | None = None,
        experiment_config: Mapping[str, str] | None = None,
        *,
        model_client_config: Mapping[str, int] | None = None,
    ) -> requests.Request:
        """The CreateTransformJob request of `transform`'s arguments. Raises InputError where the
        data is not there, ValidationError for a filter that is no JSONPath of the service's."""
        session = self.sagemaker_session
        name = session.job_name(job_name, self.base_transform_job_name or self.model_name)
        request = requests.transform_request(
            job_name=name,
            model_name=self.model_name,
            data_uri=session.input_uri(data),
            output_uri=self._output_uri(name),
            instance_type=session.instance_type(self.instance_type),
            instance_count=self.instance_count,
            data_type=data_type,
            content_type=content_type,
            split_type=split_type,
            compression_type=compression_type,
            accept=self.accept,
            assemble_with=self.assemble_with,
            strategy=self.strategy,
            max_concurrent=self.max_concurrent_transforms,
            max_payload=self.max_payload,
            environment=self.env,
            client_config=model_client_config,
            processing={
                "InputFilter": input_filter,
                "OutputFilter": output_filter,
                "JoinSource": join_source,
            },
            tags=self.tags,
            more=cloud_requests.transform(
                output_key=self.output_kms_key,
                volume_key=self.volume_kms_key,
                experiment=experiment_config,
            ),
        )
        check_paths(request)
        return request

    def wait(self, logs: bool = True) -> None:
        """Wait for the latest job. Raises UsageError before the first, JobFailedError if it
        Failed."""
        self._latest().wait(logs=logs)

    def stop_transform_job(self, wait: bool = True) -> None:
        """StopTransformJob of the latest job; with `wait`, until it has ended."""
        job = self._latest()
        job.stop()
        if wait:
            job.wait(logs=False)

    def delete_model(self) -> None:
        """DeleteModel; its artifact and this object's jobs stay."""
        self.sagemaker_session.sagemaker_client.delete_model(ModelName=self.model_name)

    def to_sdk_v2(self, sagemaker_session: Any = None) -> Any:
        """SDK v2's Transformer with these settings. Raises UsageError for one it can't take."""
        from sagedock.launch.sdk import v2

        return v2.transformer(self, sagemaker_session)

    def to_sdk_v3(self, sagemaker_session: Any = None) -> Any:
        """SDK v3's Transformer with these settings. Raises UsageError for one it can't take."""
        from sagedock.launch.sdk import v3

        return v3.transformer(self, sagemaker_session)

    def _latest(self) -> LaunchedJob:
        if self.latest_transform_job is None:
            raise UsageError("There is no job yet.", hint="Transform first: transform(…).")
        return self.latest_transform_job

    def _output_uri(self, job_name: str) -> str:
        session = self.sagemaker_session
        if self.output_path is None:
            return str(S3Uri(session.planned_bucket(), job_name))
        return session.output_uri(self.output_path)

    @property
    def output(self) -> str:
        """Where the latest job's output is: a prefix's URI, file:// for a local folder. Raises
        UsageError before the first job."""
        found = self._latest().describe()["TransformOutput"]["S3OutputPath"]
        return self.sagemaker_session.shown(found)
