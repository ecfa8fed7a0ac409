"""Our facades as SDK v2's: what both would send."""

import sys
from pathlib import Path

import sagemaker
from capture import Capture, show

from sagedock import (
    Estimator,
    Model,
    MultiDataModel,
    PipelineModel,
    ProcessingInput,
    ProcessingOutput,
    ScriptProcessor,
    TrainingInput,
    Transformer,
)
from sagedock.errors import SagedockError
from sagedock.launch.processing import NetworkConfig

code = Path(sys.argv[1])
capture = Capture()
session = sagemaker.Session(boto_session=capture.boto_session)
bucket = session.default_bucket()
role = "arn:aws:iam::000000000000:role/SageMakerRole"
image = "000000000000.dkr.ecr.us-east-1.amazonaws.com/forest:1"
output = f"s3://{bucket}/models"
common = {"role": role, "instance_type": "ml.m5.xlarge", "output_path": output}
channels = {
    "train": TrainingInput(
        f"s3://{bucket}/train/",
        content_type="text/csv",
        distribution="ShardedByS3Key",
        compression="Gzip",
        record_wrapping="RecordIO",
        input_mode="FastFile",
    ),
    "validation": TrainingInput(f"s3://{bucket}/validation/"),
}


def of(estimator, channels=None):
    """Ours and theirs; a job name of the same kind, since it is in hyperparameters, too."""
    theirs = estimator.to_sdk_v2(session)
    inputs = {name: item.to_sdk_v2() for name, item in (channels or {}).items()}
    sent = capture.of(theirs.fit, inputs or None, wait=False)
    ours, _ = estimator.prepare(channels, sent["TrainingJobName"])
    return ours, sent


plain = Estimator(
    image,
    instance_count=2,
    volume_size=50,
    max_run=7200,
    input_mode="Pipe",
    base_job_name="forest",
    hyperparameters={
        "n": 50,
        "rate": 0.1,
        "deep": True,
        "words": "a b",
        "list": [1, 2],
        "no": None,
    },
    tags=[{"Key": "team", "Value": "churn"}],
    metric_definitions=[{"Name": "loss", "Regex": "loss=([0-9.]+)"}],
    environment={"LEVEL": "debug"},
    enable_network_isolation=True,
    container_entry_point=["python", "train.py"],
    container_arguments=["--fast"],
    disable_output_compression=True,
    **common,
)
show("plain", *of(plain, channels))
show("smallest", *of(Estimator(image, role, output_path=output)))
script = Estimator(
    image,
    entry_point="sklearn_rf.py",
    source_dir=code / "rf",
    dependencies=[str(code / "prepare_xgboost.py")],
    container_log_level=10,
    code_location=f"s3://{bucket}/code/",
    hyperparameters={"n": 50, "name": "1e5", "deep": True},
    **common,
)
show("script", *of(script))
show("lone", *of(Estimator(image, entry_point=str(code / "prepare_xgboost.py"), **common)))


class Full(Estimator):
    """With what only AWS has use for."""

    def prepare(self, *arguments, **named):
        request, uploads = super().prepare(*arguments, **named)
        request["ResourceConfig"] |= {
            "VolumeKmsKeyId": "key-1",
            "KeepAlivePeriodInSeconds": 60,
            "TrainingPlanArn": "arn:aws:sagemaker:us-east-1:000000000000:training-plan/plan",
        }
        request["StoppingCondition"]["MaxWaitTimeInSeconds"] = 90000
        request["OutputDataConfig"]["KmsKeyId"] = "key-2"
        request["AlgorithmSpecification"]["EnableSageMakerMetricsTimeSeries"] = True
        request["AlgorithmSpecification"]["TrainingImageConfig"] = {
            "TrainingRepositoryAccessMode": "Vpc",
            "TrainingRepositoryAuthConfig": {
                "TrainingRepositoryCredentialsProviderArn": "arn:aws:lambda:us-east-1:0:function:f"
            },
        }
        return request | MORE, uploads


MORE = {
    "VpcConfig": {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
    "CheckpointConfig": {"S3Uri": f"{output}/checkpoints", "LocalPath": "/opt/ml/checkpoints"},
    "RetryStrategy": {"MaximumRetryAttempts": 2},
    "EnableManagedSpotTraining": True,
    "EnableInterContainerTrafficEncryption": True,
    "RemoteDebugConfig": {"EnableRemoteDebug": True},
    "InfraCheckConfig": {"EnableInfraCheck": True},
    "SessionChainingConfig": {"EnableSessionTagChaining": True},
}
show("full", *of(Full(image, **common)))

processor = ScriptProcessor(
    image,
    ["python3", "-u"],
    role,
    2,
    "ml.m5.xlarge",
    volume_size_in_gb=40,
    max_runtime_in_seconds=600,
    env={"A": "1"},
    tags=[{"Key": "team", "Value": "churn"}],
    network_config=NetworkConfig(
        enable_network_isolation=True,
        subnets=["subnet-1"],
        security_group_ids=["sg-1"],
        encrypt_inter_container_traffic=True,
    ),
    volume_kms_key="key-1",
    output_kms_key="key-2",
)
inputs = [ProcessingInput(f"s3://{bucket}/raw", "/opt/ml/processing/input", "raw")]
outputs = [
    ProcessingOutput("/opt/ml/processing/train", f"s3://{bucket}/tables/train", "train"),
]
sent = capture.of(
    processor.to_sdk_v2(session).run,
    code=f"s3://{bucket}/code/prepare.py",
    inputs=[item.to_sdk_v2() for item in inputs],
    outputs=[item.to_sdk_v2() for item in outputs],
    arguments=["--ratio", "0.2"],
    wait=False,
)
ours, _ = processor.prepare(
    f"s3://{bucket}/code/prepare.py", inputs, outputs, ["--ratio", "0.2"], sent["ProcessingJobName"]
)
show("processing", ours, sent)

transformer = Transformer(
    "churn-model",
    2,
    "ml.m5.xlarge",
    strategy="MultiRecord",
    assemble_with="Line",
    output_path=f"s3://{bucket}/scores",
    accept="text/csv",
    max_concurrent_transforms=4,
    max_payload=1,
    tags=[{"Key": "team", "Value": "churn"}],
    env={"A": "1"},
    output_kms_key="key-2",
    volume_kms_key="key-1",
)
rows = {"content_type": "text/csv", "split_type": "Line", "input_filter": "$[1:]"}
sent = capture.of(
    transformer.to_sdk_v2(session).transform, f"s3://{bucket}/rows", wait=False, **rows
)
ours = transformer.prepare(f"s3://{bucket}/rows", job_name=sent["TransformJobName"], **rows)
show("transform", ours, sent)

vpc = {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
model = Model(
    image,
    f"s3://{bucket}/model.tar.gz",
    role,
    env={"A": "1"},
    name="churn-model",
    vpc_config=vpc,
    enable_network_isolation=True,
)
sent = capture.of(model.to_sdk_v2(session).create, instance_type="ml.m5.large")
show("model", model.request(model.name), sent)
pipeline = PipelineModel([model, Model(image, role=role)], role, "churn-pipeline", vpc_config=vpc)
sent = capture.of(pipeline.to_sdk_v2(session)._create_sagemaker_pipeline_model, "ml.m5.large")
show("pipeline", pipeline.request(pipeline.name), sent)
many = MultiDataModel("many", f"s3://{bucket}/many/", image, role, env={"A": "1"})
sent = capture.of(many.to_sdk_v2(session).create, "ml.m5.large")
show("many", many.request(many.name), sent)


def refused(name, call):
    try:
        call()
    except SagedockError as error:
        print("refused", name, type(error).__name__, str(error).replace("\n", " "))


here = {**common, "output_path": code}
refused("folder", Estimator(image, **here).to_sdk_v2)
refused("input", TrainingInput(code).to_sdk_v2)
refused("tags", Model(image, role=role, tags=[{"Key": "a", "Value": "b"}]).to_sdk_v2)
refused("v3", Estimator(image, **common).to_sdk_v3)


class Debugged(Estimator):
    """With a member that no argument is for."""

    def prepare(self, *arguments, **named):
        request, uploads = super().prepare(*arguments, **named)
        return request | {"DebugHookConfig": {"S3OutputPath": output}}, uploads


refused("debugged", Debugged(image, **common).to_sdk_v2)
