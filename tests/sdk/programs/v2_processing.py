"""Preprocessing in an image of one's own with SDK v2's ScriptProcessor."""

import sys

import sagemaker
from sagemaker.processing import ProcessingInput, ProcessingOutput, ScriptProcessor
from sagemaker.s3 import S3Downloader

image, data, code = sys.argv[1:]
session = sagemaker.Session()
processor = ScriptProcessor(
    image_uri=image,
    command=["python3"],
    role=sagemaker.get_execution_role(),
    instance_count=1,
    instance_type="ml.m5.large",
    max_runtime_in_seconds=600,
    env={"GREETING": "hello"},
    sagemaker_session=session,
)
processor.run(
    code=f"{code}/prepare_xgboost.py",
    inputs=[ProcessingInput(f"{data}/raw_churn.csv", "/opt/ml/processing/input")],
    outputs=[
        ProcessingOutput(
            output_name=name,
            source=f"/opt/ml/processing/{name}",
            destination=f"s3://{session.default_bucket()}/prepared/{name}",
        )
        for name in ("train", "validation", "test")
    ],
    logs=True,
)
for name in ("train", "validation", "test"):
    (uri,) = S3Downloader.list(f"s3://{session.default_bucket()}/prepared/{name}")
    lines = S3Downloader.read_file(uri).splitlines()
    print(name, len(lines), len(lines[0].split(",")) - 1)
