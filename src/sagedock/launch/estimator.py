"""The generic Estimator: any training image, with or without a script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagedock import cloud_requests, requests
from sagedock.contract.hyperparameters import PROGRAM, decode, encode, user_hyperparameters
from sagedock.contract.names import base_name_of_image
from sagedock.errors import InputError, UsageError
from sagedock.launch import source
from sagedock.launch.async_predictor import AsyncPredictor
from sagedock.launch.job import LaunchedJob
from sagedock.launch.model import Model
from sagedock.launch.place import Place, place_of
from sagedock.launch.predictor import Predictor
from sagedock.launch.tracking.place import tracked
from sagedock.launch.transformer import Transformer
from sagedock.launch.upload import Upload
from sagedock.local.records import Kind, Status
from sagedock.store.uri import SCHEME, S3Uri

_LOG_LEVEL = 20


@dataclass(frozen=True)
class TrainingInput:
    """A channel's data: SDK v2's TrainingInput. `s3_data` may be a local path or file:// too."""

    s3_data: str | Path
    distribution: str | None = None
    compression: str | None = None
    content_type: str | None = None
    record_wrapping: str | None = None
    s3_data_type: str = "S3Prefix"
    input_mode: str | None = None

    def to_sdk_v2(self) -> Any:
        """The TrainingInput of SDK v2. Raises UsageError for a local path."""
        from sagedock.launch.sdk import v2

        return v2.training_input(self)

    def to_sdk_v3(self, channel_name: str = "training") -> Any:
        """The Channel of SDK v3. Raises UsageError for a local path."""
        from sagedock.launch.sdk import v3

        return v3.training_input(self, channel_name)


class Estimator:
    """Trains with any image. Names and meanings of the arguments are SDK v2's.

    `output_path` is an s3:// prefix, or a local folder; artifacts are below `<output_path>/<job>/`.
    `max_run` in seconds, `volume_size` in GB. With `entry_point` the image is told to run that
    script (script mode), packed with `source_dir` and `dependencies`. Spot instances, checkpoints,
    networks, keys, warm pools and retries are AWS's: jobs on this machine refuse them, or say that
    they have no effect. With a `tracking_uri` of MLflow's (or MLFLOW_TRACKING_URI) each job is a
    run of the experiment `experiment_name` there.
    """

    def __init__(
        self,
        image_uri: str,
        role: str | None = None,
        instance_count: int = 1,
        instance_type: str | None = None,
        *,
        volume_size: int = 30,
        max_run: int = 86400,
        input_mode: str = "File",
        output_path: str | Path | None = None,
        base_job_name: str | None = None,
        sagemaker_session: Place | None = None,
        hyperparameters: Mapping[str, Any] | None = None,
        tags: Sequence[Mapping[str, str]] | None = None,
        entry_point: str | None = None,
        source_dir: str | Path | None = None,
        dependencies: Sequence[str] | None = None,
        code_location: str | None = None,
        metric_definitions: Sequence[Mapping[str, str]] | None = None,
        environment: Mapping[str, str] | None = None,
        enable_network_isolation: bool = False,
        container_log_level: int = _LOG_LEVEL,
        container_entry_point: Sequence[str] | None = None,
        container_arguments: Sequence[str] | None = None,
        disable_output_compression: bool = False,
        use_spot_instances: bool = False,
        max_wait: int | None = None,
        checkpoint_s3_uri: str | None = None,
        checkpoint_local_path: str | None = None,
        subnets: Sequence[str] | None = None,
        security_group_ids: Sequence[str] | None = None,
        encrypt_inter_container_traffic: bool = False,
        output_kms_key: str | None = None,
        volume_kms_key: str | None = None,
        keep_alive_period_in_seconds: int | None = None,
        max_retry_attempts: int | None = None,
        tracking_uri: str | None = None,
        experiment_name: str | None = None,
    ) -> None:
        if source_dir and not entry_point:
            raise UsageError(
                "source_dir is given without entry_point.",
                hint="Name the script in it that is to be run: entry_point='train.py'.",
            )
        self.sagemaker_session = tracked(place_of(sagemaker_session), tracking_uri, experiment_name)
        self.image_uri, self.role = image_uri, role
        self.instance_count, self.instance_type = instance_count, instance_type
        self.volume_size, self.max_run, self.input_mode = volume_size, max_run, input_mode
        self.output_path, self.base_job_name = output_path, base_job_name
        self.tags, self.environment = tags or (), dict(environment or {})
        self.entry_point, self.source_dir = entry_point, source_dir
        self.dependencies, self.code_location = dependencies or (), code_location
        self.metric_definitions = metric_definitions or ()
        self.container_log_level = container_log_level
        self.container_entry_point = container_entry_point or ()
        self.container_arguments = container_arguments or ()
        self._isolation = enable_network_isolation
        self._compress = not disable_output_compression
        self._hyperparameters = dict(hyperparameters or {})
        self._cloud: dict[str, Any] = {
            "spot": use_spot_instances,
            "max_wait": max_wait,
            "checkpoint_uri": checkpoint_s3_uri,
            "checkpoint_path": checkpoint_local_path,
            "subnets": subnets or (),
            "security_groups": security_group_ids or (),
            "encrypt_traffic": encrypt_inter_container_traffic,
            "output_key": output_kms_key,
            "volume_key": volume_kms_key,
            "keep_alive": keep_alive_period_in_seconds,
            "attempts": max_retry_attempts,
        }
        self.latest_training_job: LaunchedJob | None = None

    def set_hyperparameters(self, **values: Any) -> None:
        """Set or replace hyperparameters by name."""
        self._hyperparameters.update(values)

    def hyperparameters(self) -> dict[str, Any]:
        """The hyperparameters so far."""
        return dict(self._hyperparameters)

    def enable_network_isolation(self) -> bool:
        """Whether the container has no network."""
        return self._isolation

    def fit(
        self,
        inputs: str | Path | TrainingInput | Mapping[str, str | Path | TrainingInput] | None = None,
        wait: bool = True,
        logs: bool = True,
        job_name: str | None = None,
        experiment_config: Mapping[str, str] | None = None,
    ) -> None:
        """Train. One input without a name is the channel `training`, as in SDK v2.

        With `wait` the job is over when this returns: JobFailedError if it Failed. Ctrl-C stops a
        job on this machine; one on AWS goes on. Without `wait` it runs by itself, and
        `latest_training_job.wait()` waits. `experiment_config` is SDK v2's: ExperimentName,
        TrialName, TrialComponentDisplayName, RunName.
        """
        request, uploads = self.prepare(inputs, job_name, experiment_config)
        session = self.sagemaker_session
        job = LaunchedJob.start(session, Kind.TRAINING, request, uploads, wait=wait)
        self.latest_training_job = job
        if wait:
            job.wait(logs=logs)

    def prepare(
        self,
        inputs: str | Path | TrainingInput | Mapping[str, str | Path | TrainingInput] | None = None,
        job_name: str | None = None,
        experiment_config: Mapping[str, str] | None = None,
    ) -> tuple[requests.Request, list[Upload]]:
        """The CreateTrainingJob request that `fit` would make, and what it would upload first."""
        session = self.sagemaker_session
        name = session.job_name(job_name, self.base_job_name or base_name_of_image(self.image_uri))
        output = session.output_uri(self.output_path)
        script, uploads = self._script_mode(name, output)
        values = encode(self._hyperparameters, script_mode=self.entry_point is not None)
        request = requests.training_request(
            job_name=name,
            image_uri=self.image_uri,
            role=session.role_arn(self.role),
            instance_type=session.instance_type(self.instance_type),
            instance_count=self.instance_count,
            volume_size=self.volume_size,
            max_run=self.max_run,
            output_uri=output,
            hyperparameters={**values, **script},
            channels=[self._channel(key, value) for key, value in _named(inputs).items()],
            metric_definitions=self.metric_definitions,
            environment=self.environment,
            entrypoint=self.container_entry_point,
            arguments=self.container_arguments,
            input_mode=self.input_mode,
            tags=self.tags,
            network_isolation=self._isolation,
            compression="GZIP" if self._compress else "NONE",
            more=cloud_requests.training(
                max_run=self.max_run, experiment=experiment_config, **self._cloud
            ),
        )
        return request, uploads

    def _script_mode(self, name: str, output: str) -> tuple[dict[str, str], list[Upload]]:
        """Reserved hyperparameters that tell the image its script (B4), and the code to upload."""
        if self.entry_point is None:
            return {}, []
        if str(self.source_dir or "").startswith(SCHEME):
            return self._reserved(self.entry_point, str(self.source_dir), name), []
        folder = str(self.source_dir) if self.source_dir else None
        code = source.pack(self.entry_point, folder, self.dependencies)
        place = self._code_prefix(output).join(name, "source", "sourcedir.tar.gz")
        return self._reserved(code.program, str(place), name), [
            Upload(uri=place, source=code.archive)
        ]

    def _reserved(self, program: str, place: str, name: str) -> dict[str, str]:
        values = {
            PROGRAM: program,
            "sagemaker_submit_directory": place,
            "sagemaker_container_log_level": self.container_log_level,
            "sagemaker_job_name": name,
            "sagemaker_region": self.sagemaker_session.region,
        }
        return encode(values, script_mode=True)

    def _code_prefix(self, output: str) -> S3Uri:
        """code_location, else beside the output; never in a local output folder."""
        session = self.sagemaker_session
        if self.code_location:
            return S3Uri.parse(session.output_uri(self.code_location))
        return session.code_prefix(output)

    def _channel(self, name: str, value: str | Path | TrainingInput) -> requests.Request:
        data = value if isinstance(value, TrainingInput) else TrainingInput(value)
        try:
            uri = self.sagemaker_session.input_uri(data.s3_data)
        except InputError as error:
            raise InputError(f"Channel {name!r}: {error.message}", hint=error.hint) from error
        return requests.channel(
            name,
            uri,
            content_type=data.content_type,
            distribution=data.distribution or "FullyReplicated",
            data_type=data.s3_data_type,
            input_mode=data.input_mode,
            compression=data.compression,
            record_wrapping=data.record_wrapping,
        )

    @property
    def model_data(self) -> str:
        """URI of the latest job's model.tar.gz; a file:// URI where the output is a folder."""
        if self.latest_training_job is None:
            raise UsageError("There is no model yet.", hint="Train first: estimator.fit(…).")
        answer = self.latest_training_job.describe()
        if answer["TrainingJobStatus"] not in {Status.COMPLETED, Status.STOPPED}:
            raise UsageError(
                f"Training job {self.latest_training_job.name} has no model (yet).",
                hint="Wait for it: estimator.latest_training_job.wait().",
            )
        return self.sagemaker_session.shown(answer["ModelArtifacts"]["S3ModelArtifacts"])

    def transformer(
        self,
        instance_count: int = 1,
        instance_type: str | None = None,
        *,
        image_uri: str | None = None,
        model_name: str | None = None,
        env: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> Transformer:
        """A Transformer of the latest job's model, served by `image_uri` (by default the image that
        trained it). `env` is the model's; other arguments are the Transformer's own. Raises
        UsageError where there is no model."""
        model = self._model(image_uri, model_name, env)
        return model.transformer(instance_count, instance_type, **settings)

    def deploy(
        self,
        initial_instance_count: int = 1,
        instance_type: str | None = None,
        *,
        image_uri: str | None = None,
        model_name: str | None = None,
        env: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> Predictor | AsyncPredictor:
        """The latest job's model at an endpoint, served by `image_uri` (by default the image that
        trained it); other arguments are Model.deploy's own. Raises UsageError where there is no
        model."""
        model = self._model(image_uri, model_name, env)
        return model.deploy(initial_instance_count, instance_type, **settings)

    def _model(
        self, image_uri: str | None, name: str | None, env: Mapping[str, str] | None
    ) -> Model:
        return Model(
            image_uri or self.image_uri,
            self.model_data,
            self.role,
            env=env,
            name=name,
            sagemaker_session=self.sagemaker_session,
        )

    def to_sdk_v2(self, sagemaker_session: Any = None) -> Any:
        """SDK v2's Estimator with these settings. Raises UsageError for one it can't take."""
        from sagedock.launch.sdk import v2

        return v2.estimator(self, sagemaker_session)

    def to_sdk_v3(self, sagemaker_session: Any = None) -> Any:
        """SDK v3's ModelTrainer with these settings. Raises UsageError for one it can't take."""
        from sagedock.launch.sdk import v3

        return v3.trainer(self, sagemaker_session)

    @classmethod
    def attach(cls, training_job_name: str, sagemaker_session: Place | None = None) -> Estimator:
        """An Estimator of a job that exists: its settings, its model, and waiting for it."""
        session = place_of(sagemaker_session)
        job = LaunchedJob(session, Kind.TRAINING, training_job_name)
        found = job.describe()
        estimator = cls(
            image_uri=found["AlgorithmSpecification"]["TrainingImage"],
            role=found["RoleArn"],
            instance_count=found["ResourceConfig"]["InstanceCount"],
            instance_type=found["ResourceConfig"]["InstanceType"],
            output_path=found["OutputDataConfig"]["S3OutputPath"],
            hyperparameters=_callers(found.get("HyperParameters", {})),
            sagemaker_session=session,
        )
        estimator.latest_training_job = job
        return estimator


def _callers(values: Mapping[str, str]) -> dict[str, Any]:
    """A job's hyperparameters as its caller gave them; what script mode added is left out."""
    users = user_hyperparameters(values)
    if PROGRAM not in values:
        return dict(users)
    return {name: decode(text) for name, text in users.items()}


def _named(
    inputs: str | Path | TrainingInput | Mapping[str, str | Path | TrainingInput] | None,
) -> Mapping[str, str | Path | TrainingInput]:
    if inputs is None:
        return {}
    return inputs if isinstance(inputs, Mapping) else {"training": inputs}
