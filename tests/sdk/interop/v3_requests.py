"""Our facades as SDK v3's: what both would send."""

import sys
from pathlib import Path

from capture import Capture, show
from sagemaker.core.helper.session_helper import Session

from sagedock import (
    Estimator,
    Model,
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
session = Session(boto_session=capture.boto_session)
bucket = session.default_bucket()
role = "arn:aws:iam::000000000000:role/SageMakerRole"
image = "000000000000.dkr.ecr.us-east-1.amazonaws.com/forest:1"
output = f"s3://{bucket}/models"
common = {"role": role, "instance_type": "ml.m5.xlarge", "output_path": output}
tags = [{"Key": "team", "Value": "churn"}]
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
    """Ours and theirs, of one name."""
    trainer = estimator.to_sdk_v3(session)
    inputs = [item.to_sdk_v3(name) for name, item in (channels or {}).items()]
    sent = capture.of(trainer.train, inputs or None, wait=False)
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
    tags=tags,
    metric_definitions=[{"Name": "loss", "Regex": "loss=([0-9.]+)"}],
    environment={"LEVEL": "debug"},
    enable_network_isolation=True,
    disable_output_compression=True,
    **common,
)
show("plain", *of(plain, channels))
show("smallest", *of(Estimator(image, role, output_path=output)))
script = Estimator(
    image,
    entry_point="sklearn_rf.py",
    source_dir=code / "rf",
    code_location=f"s3://{bucket}/code/",
    hyperparameters={"n": 50, "name": "1e5", "deep": True},
    **common,
)
show("script", *of(script))
trainer = script.to_sdk_v3(session)
print("source", trainer.source_code.model_dump_json(exclude_none=True))
lone = Estimator(image, entry_point=str(code / "prepare_xgboost.py"), **common).to_sdk_v3(session)
kept = {item.name for item in code.iterdir()} - set(lone.source_code.ignore_patterns)
print("lone", sorted(kept), lone.source_code.entry_script)


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
    tags=tags,
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
outputs = [ProcessingOutput("/opt/ml/processing/train", f"s3://{bucket}/tables/train", "train")]
sent = capture.of(
    processor.to_sdk_v3(session).run,
    code=f"s3://{bucket}/code/prepare.py",
    inputs=[item.to_sdk_v3() for item in inputs],
    outputs=[item.to_sdk_v3() for item in outputs],
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
    tags=tags,
    env={"A": "1"},
    output_kms_key="key-2",
    volume_kms_key="key-1",
)
rows = {"content_type": "text/csv", "split_type": "Line", "input_filter": "$[1:]"}
sent = capture.of(
    transformer.to_sdk_v3(session).transform, f"s3://{bucket}/rows", wait=False, **rows
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
    tags=tags,
)
sent = capture.of(model.to_sdk_v3(session).build)
show("model", model.request("churn-model"), sent)


def refused(name, call):
    try:
        call()
    except SagedockError as error:
        print("refused", name, type(error).__name__, str(error).replace("\n", " "))


refused("entrypoint", Estimator(image, container_entry_point=["sh"], **common).to_sdk_v3)
refused(
    "dependencies",
    Estimator(
        image, entry_point="sklearn_rf.py", source_dir=code / "rf", dependencies=["x"], **common
    ).to_sdk_v3,
)
here = {**common, "output_path": code}
refused("folder", Estimator(image, **here).to_sdk_v3)
refused("input", TrainingInput(code).to_sdk_v3)
refused("unnamed", ProcessingInput(f"s3://{bucket}/raw", "/opt/ml/processing/input").to_sdk_v3)
far = {"entry_point": "sklearn_rf.py", "source_dir": code / "rf", "code_location": "s3://far/code"}
refused("code", Estimator(image, **far, **common).to_sdk_v3)
refused("v2", Estimator(image, **common).to_sdk_v2)


class Debugged(Estimator):
    """With a member that no argument is for."""

    def prepare(self, *arguments, **named):
        request, uploads = super().prepare(*arguments, **named)
        return request | {"DebugHookConfig": {"S3OutputPath": output}}, uploads


refused("debugged", Debugged(image, **common).to_sdk_v3)
