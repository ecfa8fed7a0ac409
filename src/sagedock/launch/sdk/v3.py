"""Our facades as objects of SageMaker's Python SDK v3: ModelTrainer, ModelBuilder, processors."""

from __future__ import annotations

import glob
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sagedock.contract.hyperparameters import encode
from sagedock.contract.names import base_name_of_image
from sagedock.errors import InputError, UsageError
from sagedock.launch.place import Place
from sagedock.launch.sdk import v2
from sagedock.launch.sdk.common import (
    Members,
    require,
    s3_only,
    same_encoding,
    session_of,
)
from sagedock.store.uri import SCHEME, S3Uri

if TYPE_CHECKING:
    from sagedock.launch.estimator import Estimator, TrainingInput
    from sagedock.launch.model import Model
    from sagedock.launch.processing import ProcessingInput, ProcessingOutput, ScriptProcessor
    from sagedock.launch.transformer import Transformer

TRAINER = {
    "AlgorithmSpecification.TrainingImage": "training_image",
    "AlgorithmSpecification.TrainingInputMode": "training_input_mode",
    "Environment": "environment",
}
COMPUTE = {
    "ResourceConfig.InstanceType": "instance_type",
    "ResourceConfig.InstanceCount": "instance_count",
    "ResourceConfig.VolumeSizeInGB": "volume_size_in_gb",
    "ResourceConfig.VolumeKmsKeyId": "volume_kms_key_id",
    "ResourceConfig.KeepAlivePeriodInSeconds": "keep_alive_period_in_seconds",
    "ResourceConfig.TrainingPlanArn": "training_plan_arn",
    "EnableManagedSpotTraining": "enable_managed_spot_training",
}
NETWORKING = {
    "VpcConfig.Subnets": "subnets",
    "VpcConfig.SecurityGroupIds": "security_group_ids",
    "EnableNetworkIsolation": "enable_network_isolation",
    "EnableInterContainerTrafficEncryption": "enable_inter_container_traffic_encryption",
}
STOPPING = {
    "StoppingCondition.MaxRuntimeInSeconds": "max_runtime_in_seconds",
    "StoppingCondition.MaxWaitTimeInSeconds": "max_wait_time_in_seconds",
}
OUTPUT = {
    "OutputDataConfig.S3OutputPath": "s3_output_path",
    "OutputDataConfig.KmsKeyId": "kms_key_id",
    "OutputDataConfig.CompressionType": "compression_type",
}
CHECKPOINT = {"CheckpointConfig.S3Uri": "s3_uri", "CheckpointConfig.LocalPath": "local_path"}
MODEL = {
    "PrimaryContainer.Image": "image_uri",
    "PrimaryContainer.ModelDataUrl": "s3_model_data_url",
    "PrimaryContainer.Environment": "env_vars",
}

_HINTS = {
    "AlgorithmSpecification.ContainerEntrypoint": "ModelTrainer runs the image's own entry point, "
    "or source_code of its own: build the entry point into the image, or use entry_point.",
    "AlgorithmSpecification.ContainerArguments": "Arguments go with the container's entry point.",
}
_LEFT_OUT = ["__pycache__", ".git"]
"""What our own archives of code leave out; ModelTrainer's default is longer."""
_LOG_LEVEL = 20


def session(place: Place, given: Any = None) -> Any:
    """The SDK's session for a place, as `session_of` finds it."""
    require(3)
    from sagemaker.core.helper.session_helper import Session

    return session_of(place, given, Session)


def trainer(ours: Estimator, sagemaker_session: Any = None) -> Any:
    """sagemaker.train.ModelTrainer, which took the Estimator's place. Raises UsageError for what it
    can't take."""
    theirs = session(ours.sagemaker_session, sagemaker_session)
    from sagemaker.core.training import configs
    from sagemaker.train import ModelTrainer

    members = v2.training_members(ours, theirs)
    parts = {
        "compute": configs.Compute(**members.arguments(COMPUTE)),
        "stopping_condition": configs.StoppingCondition(**members.arguments(STOPPING)),
        "output_data_config": configs.OutputDataConfig(**members.arguments(OUTPUT)),
        "source_code": _source(ours, configs),
        "tags": [configs.Tag(key=tag["Key"], value=tag["Value"]) for tag in _tags(members)] or None,
        **_given(members, configs),
    }
    arguments = members.arguments(TRAINER) | _prefix(ours, theirs)
    role = members.take("RoleArn") or None  # which the SDK finds
    after = _afterwards(members, configs)
    members.refuse_rest("SDK v3's ModelTrainer", _HINTS)
    made = ModelTrainer(
        sagemaker_session=theirs,
        role=role,
        base_job_name=ours.base_job_name or base_name_of_image(ours.image_uri),
        hyperparameters=_hyperparameters(ours),
        **arguments,
        **parts,
    )
    for method, value in after.items():
        getattr(made, method)(value)
    return made


def _tags(members: Members) -> list[Mapping[str, str]]:
    found: list[Mapping[str, str]] = members.take("Tags", [])
    return found


def _given(members: Members, configs: Any) -> dict[str, Any]:
    """What a trainer is given only where there is something to say."""
    network, checkpoint = members.arguments(NETWORKING), members.arguments(CHECKPOINT)
    found: dict[str, Any] = {}
    if network:
        found["networking"] = configs.Networking(**network)
    if checkpoint:
        found["checkpoint_config"] = configs.CheckpointConfig(**checkpoint)
    return found


def _afterwards(members: Members, configs: Any) -> dict[str, Any]:
    """Settings that a trainer takes by a method: its name to its argument."""
    metrics = members.take("AlgorithmSpecification.MetricDefinitions", [])
    attempts = members.take("RetryStrategy.MaximumRetryAttempts")
    debug = members.take("RemoteDebugConfig.EnableRemoteDebug")
    check = members.take("InfraCheckConfig.EnableInfraCheck")
    chaining = members.take("SessionChainingConfig.EnableSessionTagChaining")
    found: dict[str, Any] = {}
    if metrics:
        found["with_metric_definitions"] = [
            configs.MetricDefinition(name=item["Name"], regex=item["Regex"]) for item in metrics
        ]
    if attempts is not None:
        found["with_retry_strategy"] = configs.RetryStrategy(maximum_retry_attempts=attempts)
    if debug is not None:
        found["with_remote_debug_config"] = configs.RemoteDebugConfig(enable_remote_debug=debug)
    if check is not None:
        found["with_infra_check_config"] = configs.InfraCheckConfig(enable_infra_check=check)
    if chaining is not None:
        found["with_session_chaining_config"] = configs.SessionChainingConfig(
            enable_session_tag_chaining=chaining
        )
    return found


def _hyperparameters(ours: Estimator) -> dict[str, Any]:
    from sagemaker.train.utils import safe_serialize

    given = ours.hyperparameters()
    written = encode(given, script_mode=ours.entry_point is not None)
    return same_encoding(given, written, safe_serialize)


def _source(ours: Estimator, configs: Any) -> Any:
    """The script as ModelTrainer runs one: by drivers of the SDK's, which it sends along."""
    if ours.entry_point is None:
        return None
    if ours.dependencies:
        raise UsageError(
            "SDK v3's ModelTrainer can't take dependencies.",
            hint="Put these folders into source_dir.",
        )
    if ours.container_log_level != _LOG_LEVEL:
        raise UsageError(
            "SDK v3's ModelTrainer can't take container_log_level.", hint="Leave it out."
        )
    if ours.source_dir is None:
        script = Path(ours.entry_point).expanduser()
        return _code(configs, script.parent, script.name, _siblings(script))
    if str(ours.source_dir).startswith(SCHEME):
        return _code(configs, ours.source_dir, ours.entry_point, _LEFT_OUT)
    return _code(configs, Path(ours.source_dir).expanduser(), ours.entry_point, _LEFT_OUT)


def _code(configs: Any, folder: Path | str, script: str, left_out: list[str]) -> Any:
    """With the requirements that script mode would install, too."""
    listed = isinstance(folder, Path) and (folder / "requirements.txt").is_file()
    wanted = listed and glob.escape("requirements.txt") not in left_out
    return configs.SourceCode(
        source_dir=str(folder),
        entry_script=script,
        requirements="requirements.txt" if wanted else None,
        ignore_patterns=left_out,
    )


def _siblings(script: Path) -> list[str]:
    """Patterns for all that lies beside a script which is sent alone."""
    if not script.is_file():
        raise InputError(f"entry_point {str(script)!r} is not a file ({script.absolute()}).")
    return [glob.escape(item.name) for item in script.parent.iterdir() if item.name != script.name]


def _prefix(ours: Estimator, theirs: Any) -> dict[str, str]:
    """code_location: ModelTrainer knows a prefix in its session's bucket."""
    if ours.code_location is None:
        return {}
    uri = S3Uri.parse(s3_only("code_location", ours.code_location))
    if uri.bucket != theirs.default_bucket() or not uri.key.strip("/"):
        raise UsageError(
            f"code_location is {str(uri)!r}: SDK v3's ModelTrainer sends code below a prefix of "
            f"its session's default bucket, s3://{theirs.default_bucket()}.",
            hint="Give to_sdk_v3() a session with that default_bucket, or leave code_location out.",
        )
    return {"input_s3_key_prefix": uri.key.strip("/")}


def processor(ours: ScriptProcessor, sagemaker_session: Any = None) -> Any:
    """sagemaker.core.processing.ScriptProcessor. Raises UsageError for what it can't take."""
    theirs = session(ours.sagemaker_session, sagemaker_session)
    from sagemaker.core.network import NetworkConfig
    from sagemaker.core.processing import ScriptProcessor as Theirs

    members = v2.processing_members(ours, theirs)
    arguments, network = members.arguments(v2.PROCESSOR), members.arguments(v2.NETWORK)
    arguments["role"] = members.take("RoleArn") or None
    members.refuse_rest("SDK v3's ScriptProcessor", {})
    return Theirs(
        command=list(ours.command),
        base_job_name=ours.base_job_name or base_name_of_image(ours.image_uri),
        sagemaker_session=theirs,
        network_config=NetworkConfig(**network) if network else None,
        **arguments,
    )


def transformer(ours: Transformer, sagemaker_session: Any = None) -> Any:
    """sagemaker.core.transformer.Transformer. Raises UsageError for what it can't take."""
    theirs = session(ours.sagemaker_session, sagemaker_session)
    from sagemaker.core.transformer import Transformer as Theirs

    arguments = v2.transformer_arguments(ours, theirs, "SDK v3's Transformer")
    return Theirs(sagemaker_session=theirs, **arguments)


def model(ours: Model, sagemaker_session: Any = None) -> Any:
    """sagemaker.serve.ModelBuilder, which took Model's place: `build()` creates the model, and
    `deploy()` an endpoint. Raises UsageError for what it can't take."""
    theirs = session(ours.sagemaker_session, sagemaker_session)
    from sagemaker.core.training.configs import Networking
    from sagemaker.serve import ModelBuilder

    members = v2.model_members(ours, theirs)
    members.take("ModelName")
    arguments, network = members.arguments(MODEL), members.arguments(NETWORKING)
    role, tags = members.take("ExecutionRoleArn") or None, members.take("Tags", [])
    members.refuse_rest("SDK v3's ModelBuilder", {})
    made = ModelBuilder(
        role_arn=role,
        sagemaker_session=theirs,
        network=Networking(**network) if network else None,
        **arguments,
    )
    if ours.name:
        made.model_name = ours.name
    if tags:
        made.add_tags(tags)
    return made


def training_input(ours: TrainingInput, channel_name: str = "training") -> Any:
    """A Channel for ModelTrainer.train. Raises UsageError for a local path: InputData takes one."""
    require(3)
    from sagemaker.core.training import configs

    source = configs.S3DataSource(
        s3_data_type=ours.s3_data_type,
        s3_uri=s3_only("s3_data", ours.s3_data),
        s3_data_distribution_type=ours.distribution or "FullyReplicated",
    )
    given = {
        "content_type": ours.content_type,
        "compression_type": ours.compression,
        "record_wrapper_type": ours.record_wrapping,
        "input_mode": ours.input_mode,
    }
    return configs.Channel(
        channel_name=channel_name,
        data_source=configs.DataSource(s3_data_source=source),
        **{name: value for name, value in given.items() if value is not None},
    )


def processing_input(ours: ProcessingInput) -> Any:
    """sagemaker.core.shapes.ProcessingInput, which the SDK uploads where it is local."""
    require(3)
    from sagemaker.core import shapes

    place = shapes.ProcessingS3Input(
        s3_uri=str(ours.source),
        local_path=ours.destination,
        s3_data_type=ours.s3_data_type,
        s3_input_mode=ours.s3_input_mode,
        s3_data_distribution_type=ours.s3_data_distribution_type,
        s3_compression_type=ours.s3_compression_type,
    )
    return shapes.ProcessingInput(input_name=_name(ours.input_name, "input"), s3_input=place)


def processing_output(ours: ProcessingOutput) -> Any:
    """sagemaker.core.shapes.ProcessingOutput. Raises UsageError without an s3:// destination."""
    require(3)
    from sagemaker.core import shapes

    place = shapes.ProcessingS3Output(
        s3_uri=s3_only("destination", ours.destination),
        local_path=ours.source,
        s3_upload_mode=ours.s3_upload_mode,
    )
    return shapes.ProcessingOutput(output_name=_name(ours.output_name, "output"), s3_output=place)


def _name(given: str | None, what: str) -> str:
    if given is None:
        raise UsageError(
            f"SDK v3 needs {what}_name: it numbers nothing.",
            hint=f"Name it: {what}_name='…'.",
        )
    return given
