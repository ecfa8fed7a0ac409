"""boto3 without an SDK: every job and resource by hand, with boto3's own waiters."""

import sys
import tarfile
from io import BytesIO
from pathlib import Path

import boto3

processing_image, training_image, serving_image, data, code = sys.argv[1:]
sagemaker, runtime, s3 = (boto3.client(name) for name in ("sagemaker", "sagemaker-runtime", "s3"))
logs, sts = boto3.client("logs"), boto3.client("sts")
account = sts.get_caller_identity()["Account"]
role = f"arn:aws:iam::{account}:role/SageMakerRole"
bucket = f"raw-{account}"
s3.create_bucket(Bucket=bucket)
s3.upload_file(f"{data}/raw_churn.csv", bucket, "raw/raw_churn.csv")
s3.upload_file(f"{code}/prepare_xgboost.py", bucket, "code/prepare.py")


def s3_input(name, prefix, path):
    location = {
        "S3Uri": f"s3://{bucket}/{prefix}",
        "LocalPath": path,
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
    }
    return {"InputName": name, "S3Input": location}


def channel(name):
    source = {
        "S3DataType": "S3Prefix",
        "S3Uri": f"s3://{bucket}/tables/{name}/",
        "S3DataDistributionType": "FullyReplicated",
    }
    return {
        "ChannelName": name,
        "DataSource": {"S3DataSource": source},
        "ContentType": "text/csv",
    }


sagemaker.create_processing_job(
    ProcessingJobName="raw-processing",
    AppSpecification={
        "ImageUri": processing_image,
        "ContainerEntrypoint": ["python3", "/opt/ml/processing/code/prepare.py"],
    },
    ProcessingInputs=[
        s3_input("raw", "raw/", "/opt/ml/processing/input"),
        s3_input("code", "code/", "/opt/ml/processing/code"),
    ],
    ProcessingOutputConfig={
        "Outputs": [
            {
                "OutputName": name,
                "S3Output": {
                    "S3Uri": f"s3://{bucket}/tables/{name}",
                    "LocalPath": f"/opt/ml/processing/{name}",
                    "S3UploadMode": "EndOfJob",
                },
            }
            for name in ("train", "validation", "test")
        ]
    },
    ProcessingResources={
        "ClusterConfig": {
            "InstanceCount": 1,
            "InstanceType": "ml.m5.large",
            "VolumeSizeInGB": 10,
        }
    },
    RoleArn=role,
)
sagemaker.get_waiter("processing_job_completed_or_stopped").wait(
    ProcessingJobName="raw-processing", WaiterConfig={"Delay": 1}
)

sagemaker.create_training_job(
    TrainingJobName="raw-training",
    AlgorithmSpecification={"TrainingImage": training_image, "TrainingInputMode": "File"},
    HyperParameters={"num_round": "50", "max_depth": "5", "objective": "binary:logistic"},
    InputDataConfig=[channel("train"), channel("validation")],
    OutputDataConfig={"S3OutputPath": f"s3://{bucket}/models"},
    ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
    StoppingCondition={"MaxRuntimeInSeconds": 600},
    RoleArn=role,
    Tags=[{"Key": "project", "Value": "churn"}],
)
sagemaker.get_waiter("training_job_completed_or_stopped").wait(
    TrainingJobName="raw-training", WaiterConfig={"Delay": 1}
)
training = sagemaker.describe_training_job(TrainingJobName="raw-training")
artifacts = training["ModelArtifacts"]["S3ModelArtifacts"]
body = s3.get_object(Bucket=bucket, Key=artifacts.split("/", 3)[3])["Body"].read()
with tarfile.open(fileobj=BytesIO(body)) as archive:
    print("model", archive.getnames())
print("tags", sagemaker.list_tags(ResourceArn=training["TrainingJobArn"])["Tags"])
(stream,) = logs.describe_log_streams(
    logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix="raw-training/"
)["logStreams"]
events = logs.get_log_events(
    logGroupName="/aws/sagemaker/TrainingJobs",
    logStreamName=stream["logStreamName"],
    startFromHead=True,
)["events"]
print("rounds", sum("validation-error" in event["message"] for event in events))

sagemaker.create_model(
    ModelName="raw-model",
    PrimaryContainer={"Image": serving_image, "ModelDataUrl": artifacts},
    ExecutionRoleArn=role,
)
sagemaker.create_endpoint_config(
    EndpointConfigName="raw-config",
    ProductionVariants=[
        {
            "VariantName": "AllTraffic",
            "ModelName": "raw-model",
            "InitialInstanceCount": 1,
            "InstanceType": "ml.m5.large",
        }
    ],
)
sagemaker.create_endpoint(EndpointName="raw-endpoint", EndpointConfigName="raw-config")
sagemaker.get_waiter("endpoint_in_service").wait(
    EndpointName="raw-endpoint", WaiterConfig={"Delay": 1}
)
rows = Path(data, "rows", "rows.csv").read_bytes()
request = {"EndpointName": "raw-endpoint", "ContentType": "text/csv", "Accept": "text/csv"}
answer = runtime.invoke_endpoint(Body=rows, **request)["Body"].read().split()
stream = runtime.invoke_endpoint_with_response_stream(Body=rows, **request)["Body"]
streamed = b"".join(part["PayloadPart"]["Bytes"] for part in stream).split()
print("streamed", streamed == answer)

s3.put_object(Bucket=bucket, Key="rows/rows.csv", Body=rows)
source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/rows/"}
sagemaker.create_transform_job(
    TransformJobName="raw-transform",
    ModelName="raw-model",
    BatchStrategy="MultiRecord",
    TransformInput={
        "DataSource": {"S3DataSource": source},
        "ContentType": "text/csv",
        "SplitType": "Line",
    },
    TransformOutput={
        "S3OutputPath": f"s3://{bucket}/scores",
        "Accept": "text/csv",
        "AssembleWith": "Line",
    },
    TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
)
sagemaker.get_waiter("transform_job_completed_or_stopped").wait(
    TransformJobName="raw-transform", WaiterConfig={"Delay": 1}
)
scores = s3.get_object(Bucket=bucket, Key="scores/rows.csv.out")["Body"].read().split()
print("transformed", scores == answer)
print("answers", b",".join(answer).decode())

sagemaker.delete_endpoint(EndpointName="raw-endpoint")
sagemaker.get_waiter("endpoint_deleted").wait(
    EndpointName="raw-endpoint", WaiterConfig={"Delay": 1}
)
sagemaker.delete_endpoint_config(EndpointConfigName="raw-config")
sagemaker.delete_model(ModelName="raw-model")
