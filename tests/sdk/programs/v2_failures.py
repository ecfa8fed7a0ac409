"""What goes wrong, as a program with SDK v2 learns of it."""

import sys

import boto3
import sagemaker
from botocore.exceptions import ClientError
from sagemaker.estimator import Estimator
from sagemaker.exceptions import UnexpectedStatusException
from sagemaker.model import Model
from sagemaker.predictor import Predictor
from sagemaker.s3 import S3Downloader

image, serving_image = sys.argv[1:]
session = sagemaker.Session()
role = sagemaker.get_execution_role()
output = f"s3://{session.default_bucket()}/failures"
script = (
    "echo {name} >/opt/ml/model/{name}; echo 'told by the job' >/opt/ml/output/failure; exit {code}"
)


def estimator(*entrypoint: str, instance_type: str = "ml.m5.large") -> Estimator:
    return Estimator(
        image_uri=image,
        container_entry_point=list(entrypoint),
        role=role,
        instance_count=1,
        instance_type=instance_type,
        output_path=output,
        sagemaker_session=session,
    )


def fit(name: str, code: int) -> None:
    try:
        estimator("sh", "-c", script.format(name=name, code=code)).fit(job_name=name, logs=False)
        print(name, "Completed")
    except UnexpectedStatusException as error:
        print(name, str(error).replace("\n", " "))


fit("first", 0)
fit("second", 130)
fit("third", 1)
print("models", sorted(uri.removeprefix(output) for uri in S3Downloader.list(output)))
reason = session.describe_training_job("second")["FailureReason"]
print("reason", reason)
try:
    estimator("true").fit(job_name="first")
except ClientError as error:
    print("again", error.response["Error"]["Code"])
try:
    estimator("true", instance_type="ml.m5.tiny").fit(job_name="never")
except ClientError as error:
    print("invalid", error.response["Error"]["Code"], error.response["Error"]["Message"])

sleeper = estimator("sh", "-c", "trap 'exit 0' TERM; sleep 300 & wait")
sleeper.fit(job_name="sleeper", wait=False)
print("wait=False", session.describe_training_job("sleeper")["TrainingJobStatus"])
session.stop_training_job("sleeper")
session.wait_for_job("sleeper", poll=1)
print("stopped", session.describe_training_job("sleeper")["TrainingJobStatus"])

try:
    Predictor("nobody", sagemaker_session=session).predict(b"1")
except ClientError as error:
    print("nobody", error.response["Error"]["Code"])
model = Model(serving_image, f"{output}/first/output/model.tar.gz", role, sagemaker_session=session)
model.deploy(1, "ml.m5.large", endpoint_name="broken", wait=False)
try:
    session.wait_for_endpoint("broken", poll=1)
except UnexpectedStatusException as error:
    print("broken", "holds no model" in str(error))
boto3.client("sagemaker").delete_endpoint(EndpointName="broken")
