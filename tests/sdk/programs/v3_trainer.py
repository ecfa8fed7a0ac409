"""SDK v3: a processing job, then ModelTrainer with a script of one's own and its requirements."""

import logging
import sys

from sagemaker.core.helper.session_helper import Session, get_execution_role
from sagemaker.core.processing import ScriptProcessor
from sagemaker.core.shapes import (
    OutputDataConfig,
    ProcessingInput,
    ProcessingOutput,
    ProcessingS3Input,
    ProcessingS3Output,
)
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, SourceCode

processing_image, training_image, data, code = sys.argv[1:]
logging.basicConfig(level=logging.INFO)  # the SDK logs what jobs print
session = Session()
role = get_execution_role()
bucket = session.default_bucket()
print("role", role)

processor = ScriptProcessor(
    image_uri=processing_image,
    command=["python3"],
    role=role,
    instance_count=1,
    instance_type="ml.m5.large",
    sagemaker_session=session,
)
raw = session.upload_data(f"{data}/raw_churn.csv", bucket, "v3/raw")
processor.run(
    code=f"{code}/preprocessing.py",
    inputs=[
        ProcessingInput(
            input_name="raw",
            s3_input=ProcessingS3Input(
                s3_uri=raw,
                local_path="/opt/ml/processing/input",
                s3_data_type="S3Prefix",
                s3_input_mode="File",
            ),
        )
    ],
    outputs=[
        ProcessingOutput(
            output_name=name,
            s3_output=ProcessingS3Output(
                s3_uri=f"s3://{bucket}/v3/{name}",
                local_path=f"/opt/ml/processing/{name}",
                s3_upload_mode="EndOfJob",
            ),
        )
        for name in ("train", "test")
    ],
)

trainer = ModelTrainer(
    training_image=training_image,
    source_code=SourceCode(
        source_dir=f"{code}/rf", entry_script="sklearn_rf.py", requirements="requirements.txt"
    ),
    compute=Compute(instance_type="ml.m5.large", instance_count=1),
    hyperparameters={"n_estimators": 50},
    output_data_config=OutputDataConfig(s3_output_path=f"s3://{bucket}/v3/models"),
    base_job_name="forest",
    role=role,
    sagemaker_session=session,
)
trainer.train(
    [
        InputData(channel_name=name, data_source=f"s3://{bucket}/v3/{name}")
        for name in ("train", "test")
    ],
    wait=True,
    logs=True,
)
job = trainer._latest_training_job
job.refresh()
print("status", job.training_job_status)
print("model", job.model_artifacts.s3_model_artifacts)
