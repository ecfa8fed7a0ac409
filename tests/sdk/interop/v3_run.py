"""A ScriptProcessor and an Estimator of ours, run by SDK v3."""

import logging
import sys

from sagemaker.core.helper.session_helper import Session

from sagedock import Estimator, ProcessingInput, ProcessingOutput, ScriptProcessor, TrainingInput
from sagedock.launch.aws.session import AwsSession

processing_image, training_image, data, code = sys.argv[1:]
logging.basicConfig(level=logging.INFO)  # the SDK logs what jobs print
account = AwsSession()
session = Session(default_bucket=account.default_bucket())
bucket = session.default_bucket()
raw = session.upload_data(f"{data}/raw_churn.csv", bucket, "interop/raw")
inputs = [ProcessingInput(raw, "/opt/ml/processing/input", "raw")]
outputs = [
    ProcessingOutput(f"/opt/ml/processing/{name}", f"s3://{bucket}/interop/{name}", name)
    for name in ("train", "test")
]
processor = ScriptProcessor(
    processing_image, ["python3"], instance_type="ml.m5.large", sagemaker_session=account
)
processor.to_sdk_v3().run(
    code=f"{code}/preprocessing.py",
    inputs=[item.to_sdk_v3() for item in inputs],
    outputs=[item.to_sdk_v3() for item in outputs],
)
ours = Estimator(
    training_image,
    entry_point="sklearn_rf.py",
    source_dir=f"{code}/rf",
    instance_type="ml.m5.large",
    hyperparameters={"n_estimators": 50},
    sagemaker_session=account,
)
theirs = ours.to_sdk_v3()
print("class", f"{type(theirs).__module__}.{type(theirs).__qualname__}")
theirs.train([TrainingInput(f"s3://{bucket}/interop/{n}").to_sdk_v3(n) for n in ("train", "test")])
job = theirs._latest_training_job
job.refresh()
print("status", job.training_job_status)
print("hyperparameters", job.hyper_parameters)
