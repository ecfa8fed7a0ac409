"""Our facades as objects of SageMaker's Python SDK v2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sagedock.contract.hyperparameters import encode
from sagedock.contract.names import base_name_of_image
from sagedock.errors import UsageError
from sagedock.launch.place import Place
from sagedock.launch.sdk.common import (
    Members,
    moved,
    require,
    s3_only,
    same_encoding,
    session_of,
)

if TYPE_CHECKING:
    from sagedock.launch.estimator import Estimator, TrainingInput
    from sagedock.launch.model import Model, MultiDataModel, PipelineModel
    from sagedock.launch.processing import ProcessingInput, ProcessingOutput, ScriptProcessor
    from sagedock.launch.transformer import Transformer

ESTIMATOR = {
    "AlgorithmSpecification.TrainingImage": "image_uri",
    "AlgorithmSpecification.TrainingInputMode": "input_mode",
    "AlgorithmSpecification.MetricDefinitions": "metric_definitions",
    "AlgorithmSpecification.ContainerEntrypoint": "container_entry_point",
    "AlgorithmSpecification.ContainerArguments": "container_arguments",
    "AlgorithmSpecification.EnableSageMakerMetricsTimeSeries": "enable_sagemaker_metrics",
    "AlgorithmSpecification.TrainingImageConfig.TrainingRepositoryAccessMode":
        "training_repository_access_mode",
    "AlgorithmSpecification.TrainingImageConfig.TrainingRepositoryAuthConfig"
    ".TrainingRepositoryCredentialsProviderArn": "training_repository_credentials_provider_arn",
    "ResourceConfig.InstanceType": "instance_type",
    "ResourceConfig.InstanceCount": "instance_count",
    "ResourceConfig.VolumeSizeInGB": "volume_size",
    "ResourceConfig.VolumeKmsKeyId": "volume_kms_key",
    "ResourceConfig.KeepAlivePeriodInSeconds": "keep_alive_period_in_seconds",
    "ResourceConfig.TrainingPlanArn": "training_plan",
    "ResourceConfig.InstancePlacementConfig": "instance_placement_config",
    "StoppingCondition.MaxRuntimeInSeconds": "max_run",
    "StoppingCondition.MaxWaitTimeInSeconds": "max_wait",
    "OutputDataConfig.S3OutputPath": "output_path",
    "OutputDataConfig.KmsKeyId": "output_kms_key",
    "VpcConfig.Subnets": "subnets",
    "VpcConfig.SecurityGroupIds": "security_group_ids",
    "CheckpointConfig.S3Uri": "checkpoint_s3_uri",
    "CheckpointConfig.LocalPath": "checkpoint_local_path",
    "RetryStrategy.MaximumRetryAttempts": "max_retry_attempts",
    "EnableManagedSpotTraining": "use_spot_instances",
    "EnableInterContainerTrafficEncryption": "encrypt_inter_container_traffic",
    "EnableNetworkIsolation": "enable_network_isolation",
    "RemoteDebugConfig.EnableRemoteDebug": "enable_remote_debug",
    "InfraCheckConfig.EnableInfraCheck": "enable_infra_check",
    "SessionChainingConfig.EnableSessionTagChaining": "enable_session_tag_chaining",
    "Environment": "environment",
    "Tags": "tags",
}  # fmt: skip
PROCESSOR = {
    "AppSpecification.ImageUri": "image_uri",
    "ProcessingResources.ClusterConfig.InstanceType": "instance_type",
    "ProcessingResources.ClusterConfig.InstanceCount": "instance_count",
    "ProcessingResources.ClusterConfig.VolumeSizeInGB": "volume_size_in_gb",
    "ProcessingResources.ClusterConfig.VolumeKmsKeyId": "volume_kms_key",
    "ProcessingOutputConfig.KmsKeyId": "output_kms_key",
    "StoppingCondition.MaxRuntimeInSeconds": "max_runtime_in_seconds",
    "Environment": "env",
    "Tags": "tags",
}
NETWORK = {
    "NetworkConfig.EnableNetworkIsolation": "enable_network_isolation",
    "NetworkConfig.EnableInterContainerTrafficEncryption": "encrypt_inter_container_traffic",
    "NetworkConfig.VpcConfig.Subnets": "subnets",
    "NetworkConfig.VpcConfig.SecurityGroupIds": "security_group_ids",
}
TRANSFORMER = {
    "ModelName": "model_name",
    "TransformResources.InstanceType": "instance_type",
    "TransformResources.InstanceCount": "instance_count",
    "TransformResources.VolumeKmsKeyId": "volume_kms_key",
    "TransformOutput.S3OutputPath": "output_path",
    "TransformOutput.KmsKeyId": "output_kms_key",
    "TransformOutput.Accept": "accept",
    "TransformOutput.AssembleWith": "assemble_with",
    "BatchStrategy": "strategy",
    "MaxConcurrentTransforms": "max_concurrent_transforms",
    "MaxPayloadInMB": "max_payload",
    "Environment": "env",
    "Tags": "tags",
}
MODEL = {
    "PrimaryContainer.Image": "image_uri",
    "PrimaryContainer.ModelDataUrl": "model_data",
    "PrimaryContainer.Environment": "env",
}
ANY_MODEL = {"EnableNetworkIsolation": "enable_network_isolation", "VpcConfig": "vpc_config"}

_HINTS = {"Tags": "Give tags to the SDK's deploy(tags=…) or create(tags=…)."}

_CODE = "s3://sagedock-code/script"
"""Stands for the script that a processor is given later."""


def session(place: Place, given: Any = None) -> Any:
    """The SDK's session for a place, as `session_of` finds it."""
    require(2)
    from sagemaker.session import Session

    return session_of(place, given, Session)


def estimator(ours: Estimator, sagemaker_session: Any = None) -> Any:
    """sagemaker.estimator.Estimator. Raises UsageError for what it can't take."""
    theirs = session(ours.sagemaker_session, sagemaker_session)
    from sagemaker.estimator import Estimator as Theirs

    members = training_members(ours, theirs)
    arguments = members.arguments(ESTIMATOR)
    arguments["disable_output_compression"] = (
        members.take("OutputDataConfig.CompressionType", "GZIP") == "NONE"
    )
    arguments["role"] = _role(members.take("RoleArn"), theirs)
    members.refuse_rest("SDK v2's Estimator", {})
    return Theirs(
        sagemaker_session=theirs,
        base_job_name=ours.base_job_name or base_name_of_image(ours.image_uri),
        hyperparameters=_hyperparameters(ours),
        debugger_hook_config=False,
        disable_profiler=True,
        **arguments,
        **_script(ours, arguments["output_path"]),
    )


def training_members(ours: Estimator, theirs: Any) -> Members:
    """The request of a training, without what `fit` adds and without its script."""
    there = moved(ours, theirs)
    there.entry_point = None
    request, _ = there.prepare()
    members = Members(request)
    for path in ("TrainingJobName", "HyperParameters"):
        members.take(path)
    return members


def _hyperparameters(ours: Estimator) -> dict[str, Any]:
    given = ours.hyperparameters()
    if ours.entry_point is not None:
        return given  # which the SDK writes as JSON, all of them
    return same_encoding(given, encode(given, script_mode=False), str)


def _script(ours: Estimator, output: str) -> dict[str, Any]:
    """Code lies beside the results, as ours does; the SDK's own default is the bucket's root."""
    if ours.entry_point is None:
        return {}
    found: dict[str, Any] = {
        "entry_point": ours.entry_point,
        "container_log_level": ours.container_log_level,
        "code_location": s3_only("code_location", ours.code_location or output).rstrip("/"),
    }
    if ours.source_dir:
        found["source_dir"] = str(ours.source_dir)
    if ours.dependencies:
        found["dependencies"] = [str(item) for item in ours.dependencies]
    return found


def processor(ours: ScriptProcessor, sagemaker_session: Any = None) -> Any:
    """sagemaker.processing.ScriptProcessor. Raises UsageError for what it can't take."""
    theirs = session(ours.sagemaker_session, sagemaker_session)
    from sagemaker.network import NetworkConfig
    from sagemaker.processing import ScriptProcessor as Theirs

    members = processing_members(ours, theirs)
    arguments, network = members.arguments(PROCESSOR), members.arguments(NETWORK)
    arguments["role"] = _role(members.take("RoleArn"), theirs)
    members.refuse_rest("SDK v2's ScriptProcessor", {})
    return Theirs(
        command=list(ours.command),
        base_job_name=ours.base_job_name or base_name_of_image(ours.image_uri),
        sagemaker_session=theirs,
        network_config=NetworkConfig(**network) if network else None,
        **arguments,
    )


def processing_members(ours: ScriptProcessor, theirs: Any) -> Members:
    """The request of a run, without what a run adds."""
    request, _ = moved(ours, theirs).prepare(_CODE)
    members = Members(request)
    for path in ("ProcessingJobName", "ProcessingInputs", "AppSpecification.ContainerEntrypoint"):
        members.take(path)
    return members


def transformer(ours: Transformer, sagemaker_session: Any = None) -> Any:
    """sagemaker.transformer.Transformer. Raises UsageError for what it can't take."""
    theirs = session(ours.sagemaker_session, sagemaker_session)
    from sagemaker.transformer import Transformer as Theirs

    arguments = transformer_arguments(ours, theirs, "SDK v2's Transformer")
    return Theirs(sagemaker_session=theirs, **arguments)


def transformer_arguments(ours: Transformer, theirs: Any, target: str) -> dict[str, Any]:
    """A Transformer's arguments, which both SDKs call the same."""
    members = Members(moved(ours, theirs).prepare(_CODE))
    for path in ("TransformJobName", "TransformInput"):
        members.take(path)
    arguments = members.arguments(TRANSFORMER)
    members.refuse_rest(target, {})
    if ours.output_path is None:
        del arguments["output_path"]  # a prefix of the job's own
    base = ours.base_transform_job_name or ours.model_name
    return {**arguments, "base_transform_job_name": base}


def model(ours: Model, sagemaker_session: Any = None) -> Any:
    """sagemaker.model.Model. Raises UsageError for what it can't take."""
    theirs = session(ours.sagemaker_session, sagemaker_session)
    from sagemaker.model import Model as Theirs

    members = model_members(ours, theirs)
    arguments = members.arguments(MODEL)
    return Theirs(**arguments, **_named(ours, members, theirs))


def pipeline_model(ours: PipelineModel, sagemaker_session: Any = None) -> Any:
    """sagemaker.pipeline.PipelineModel, of converted models."""
    theirs = session(ours.sagemaker_session, sagemaker_session)
    from sagemaker.pipeline import PipelineModel as Theirs

    models = [model(item, theirs) for item in ours.models]
    there = moved(ours, theirs)
    there.models = [moved(item, theirs) for item in ours.models]
    members = Members(there.request(""))
    members.take("Containers")
    return Theirs(models, **_named(ours, members, theirs))


def multi_data_model(ours: MultiDataModel, sagemaker_session: Any = None) -> Any:
    """sagemaker.multidatamodel.MultiDataModel."""
    theirs = session(ours.sagemaker_session, sagemaker_session)
    from sagemaker.multidatamodel import MultiDataModel as Theirs

    members = model_members(ours, theirs)
    members.take("PrimaryContainer.Mode")
    arguments = members.arguments(MODEL)
    arguments["model_data_prefix"] = s3_only("model_data_prefix", arguments.pop("model_data"))
    return Theirs(**arguments, **_named(ours, members, theirs))


def model_members(ours: Model | MultiDataModel, theirs: Any) -> Members:
    """The request of CreateModel."""
    return Members(moved(ours, theirs).request(""))


def _named(
    ours: Model | PipelineModel | MultiDataModel, members: Members, theirs: Any
) -> dict[str, Any]:
    """What models of every kind have; the rest of the request is refused."""
    members.take("ModelName")
    found = members.arguments(ANY_MODEL)
    role = _role(members.take("ExecutionRoleArn"), theirs)
    members.refuse_rest("SDK v2's models", _HINTS)
    return {**found, "role": role, "name": ours.name, "sagemaker_session": theirs}


def training_input(ours: TrainingInput) -> Any:
    """sagemaker.inputs.TrainingInput. Raises UsageError for a local path."""
    require(2)
    from sagemaker.inputs import TrainingInput as Theirs

    return Theirs(**{**vars(ours), "s3_data": s3_only("s3_data", ours.s3_data)})


def processing_input(ours: ProcessingInput) -> Any:
    """sagemaker.processing.ProcessingInput, which the SDK uploads where it is local."""
    require(2)
    from sagemaker.processing import ProcessingInput as Theirs

    return Theirs(**{**vars(ours), "source": str(ours.source)})


def processing_output(ours: ProcessingOutput) -> Any:
    """sagemaker.processing.ProcessingOutput. Raises UsageError for a local destination."""
    require(2)
    from sagemaker.processing import ProcessingOutput as Theirs

    found = vars(ours)
    if ours.destination is not None:
        found = {**found, "destination": s3_only("destination", ours.destination)}
    return Theirs(**found)


def _role(given: str, theirs: Any) -> str:
    """A role as given, which the SDK looks up where it is a name; none: who the caller is."""
    if given:
        return given
    from sagemaker.session import get_execution_role

    try:
        found: str = get_execution_role(theirs)
    except ValueError as error:
        raise UsageError(
            f"No role is given, and the caller has none: {error}",
            hint="Give one: role='arn:aws:iam::<account>:role/<name>'.",
        ) from error
    return found
