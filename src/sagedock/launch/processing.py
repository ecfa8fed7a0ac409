"""The generic ScriptProcessor: runs a script in any image that has its interpreter (C21)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagedock import cloud_requests, requests
from sagedock.contract.names import base_name_of_image
from sagedock.contract.paths import ML
from sagedock.errors import InputError
from sagedock.launch.job import LaunchedJob
from sagedock.launch.place import Place, local_path, place_of
from sagedock.launch.tracking.place import tracked
from sagedock.launch.upload import Upload
from sagedock.local.records import Kind
from sagedock.store.uri import SCHEME, S3Uri


@dataclass(frozen=True)
class ProcessingInput:
    """Data for a processing job: SDK v2's ProcessingInput. `source` may be local."""

    source: str | Path
    destination: str
    input_name: str | None = None
    s3_data_type: str = "S3Prefix"
    s3_input_mode: str = "File"
    s3_data_distribution_type: str = "FullyReplicated"
    s3_compression_type: str = "None"

    def to_sdk_v2(self) -> Any:
        """The ProcessingInput of SDK v2."""
        from sagedock.launch.sdk import v2

        return v2.processing_input(self)

    def to_sdk_v3(self) -> Any:
        """The ProcessingInput of SDK v3."""
        from sagedock.launch.sdk import v3

        return v3.processing_input(self)


@dataclass(frozen=True)
class ProcessingOutput:
    """A folder in the container to be kept: SDK v2's ProcessingOutput. `destination` may be
    local; without one it is `s3://<default bucket>/<job>/output/<output_name>`."""

    source: str
    destination: str | Path | None = None
    output_name: str | None = None
    s3_upload_mode: str = "EndOfJob"

    def to_sdk_v2(self) -> Any:
        """The ProcessingOutput of SDK v2."""
        from sagedock.launch.sdk import v2

        return v2.processing_output(self)

    def to_sdk_v3(self) -> Any:
        """The ProcessingOutput of SDK v3."""
        from sagedock.launch.sdk import v3

        return v3.processing_output(self)


@dataclass(frozen=True)
class NetworkConfig:
    """A processing job's network: SDK v2's NetworkConfig. All but the isolation is AWS's."""

    enable_network_isolation: bool = False
    security_group_ids: Sequence[str] | None = None
    subnets: Sequence[str] | None = None
    encrypt_inter_container_traffic: bool = False


class ScriptProcessor:
    """Runs scripts in any image. Names and meanings of the arguments are SDK v2's.

    `command` is the interpreter, as in `["python3"]`. Keys, and all of `network_config` but the
    isolation, are AWS's: jobs on this machine say that they have no effect. `tracking_uri` and
    `experiment_name` are MLflow's, as the Estimator's.
    """

    def __init__(
        self,
        image_uri: str,
        command: Sequence[str],
        role: str | None = None,
        instance_count: int = 1,
        instance_type: str | None = None,
        *,
        volume_size_in_gb: int = 30,
        max_runtime_in_seconds: int | None = None,
        base_job_name: str | None = None,
        sagemaker_session: Place | None = None,
        env: Mapping[str, str] | None = None,
        tags: Sequence[Mapping[str, str]] | None = None,
        enable_network_isolation: bool = False,
        network_config: NetworkConfig | None = None,
        volume_kms_key: str | None = None,
        output_kms_key: str | None = None,
        tracking_uri: str | None = None,
        experiment_name: str | None = None,
    ) -> None:
        self.sagemaker_session = tracked(place_of(sagemaker_session), tracking_uri, experiment_name)
        self.image_uri, self.command, self.role = image_uri, tuple(command), role
        self.instance_count, self.instance_type = instance_count, instance_type
        self.volume_size_in_gb = volume_size_in_gb
        self.max_runtime_in_seconds = max_runtime_in_seconds
        self.base_job_name, self.env, self.tags = base_job_name, dict(env or {}), tags or ()
        self.network_config = network_config or NetworkConfig()
        self.enable_network_isolation = (
            enable_network_isolation or self.network_config.enable_network_isolation
        )
        self.volume_kms_key, self.output_kms_key = volume_kms_key, output_kms_key
        self.latest_job: LaunchedJob | None = None

    def run(
        self,
        code: str | Path,
        inputs: Sequence[ProcessingInput] | None = None,
        outputs: Sequence[ProcessingOutput] | None = None,
        arguments: Sequence[str] | None = None,
        wait: bool = True,
        logs: bool = True,
        job_name: str | None = None,
        experiment_config: Mapping[str, str] | None = None,
    ) -> None:
        """Run the script `code` (a local path, file:// or s3:// URI).

        With `wait` the job is over when this returns: JobFailedError if it Failed. Ctrl-C stops a
        job on this machine; one on AWS goes on. Without `wait` it runs by itself, and
        `latest_job.wait()` waits.
        """
        request, uploads = self.prepare(
            code, inputs, outputs, arguments, job_name, experiment_config
        )
        session = self.sagemaker_session
        job = LaunchedJob.start(session, Kind.PROCESSING, request, uploads, wait=wait)
        self.latest_job = job
        if wait:
            job.wait(logs=logs)

    def prepare(
        self,
        code: str | Path,
        inputs: Sequence[ProcessingInput] | None = None,
        outputs: Sequence[ProcessingOutput] | None = None,
        arguments: Sequence[str] | None = None,
        job_name: str | None = None,
        experiment_config: Mapping[str, str] | None = None,
    ) -> tuple[requests.Request, list[Upload]]:
        """The CreateProcessingJob request that `run` would make, and what it would upload."""
        session = self.sagemaker_session
        name = session.job_name(job_name, self.base_job_name or base_name_of_image(self.image_uri))
        place, uploads = self._code(str(code), name)
        script = f"{ML.processing_code}/{place.key.rsplit('/', 1)[-1]}"
        code_input = requests.processing_input("code", str(place), ML.processing_code)
        request = requests.processing_request(
            job_name=name,
            image_uri=self.image_uri,
            role=session.role_arn(self.role),
            instance_type=session.instance_type(self.instance_type),
            instance_count=self.instance_count,
            volume_size=self.volume_size_in_gb,
            max_run=self.max_runtime_in_seconds,
            entrypoint=[*self.command, script],
            arguments=[str(item) for item in arguments or ()],
            inputs=[
                *(self._input(number, item) for number, item in enumerate(inputs or (), 1)),
                code_input,
            ],
            outputs=[
                self._output(number, item, name) for number, item in enumerate(outputs or (), 1)
            ],
            environment=self.env,
            tags=self.tags,
            network_isolation=self.enable_network_isolation,
            more=self._cloud(experiment_config),
        )
        return request, uploads

    def to_sdk_v2(self, sagemaker_session: Any = None) -> Any:
        """SDK v2's ScriptProcessor with these settings. Raises UsageError for one it can't take."""
        from sagedock.launch.sdk import v2

        return v2.processor(self, sagemaker_session)

    def to_sdk_v3(self, sagemaker_session: Any = None) -> Any:
        """SDK v3's ScriptProcessor with these settings. Raises UsageError for one it can't take."""
        from sagedock.launch.sdk import v3

        return v3.processor(self, sagemaker_session)

    def _cloud(self, experiment: Mapping[str, str] | None) -> requests.Request:
        network = self.network_config
        return cloud_requests.processing(
            subnets=network.subnets or (),
            security_groups=network.security_group_ids or (),
            encrypt_traffic=network.encrypt_inter_container_traffic,
            output_key=self.output_kms_key,
            volume_key=self.volume_kms_key,
            experiment=experiment,
        )

    def _code(self, code: str, name: str) -> tuple[S3Uri, list[Upload]]:
        if code.startswith(SCHEME):
            return S3Uri.parse(code), []
        path = local_path(code)
        if not path.is_file():
            raise InputError(
                f"code {code!r} is not a file ({path}).", hint="Name the script to be run."
            )
        bucket = self.sagemaker_session.planned_bucket()
        uri = S3Uri(bucket).join(name, "input", "code", path.name)
        return uri, [Upload(uri=uri, source=path)]

    def _input(self, number: int, item: ProcessingInput) -> requests.Request:
        name = item.input_name or f"input-{number}"
        try:
            uri = self.sagemaker_session.input_uri(item.source)
        except InputError as error:
            raise InputError(f"Input {name!r}: {error.message}", hint=error.hint) from error
        return requests.processing_input(
            name,
            uri,
            item.destination,
            data_type=item.s3_data_type,
            input_mode=item.s3_input_mode,
            distribution=item.s3_data_distribution_type,
            compression=item.s3_compression_type,
        )

    def _output(self, number: int, item: ProcessingOutput, job: str) -> requests.Request:
        name = item.output_name or f"output-{number}"
        session = self.sagemaker_session
        if item.destination is None:
            uri = str(S3Uri(session.planned_bucket()).join(job, "output", name))
        else:
            uri = session.output_uri(item.destination)
        return requests.processing_output(name, uri, item.source, upload_mode=item.s3_upload_mode)
