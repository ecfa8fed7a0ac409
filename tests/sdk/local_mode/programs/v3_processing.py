"""SDK v3's local mode: preprocessing. Its code and inputs go through S3, local or not."""

import sys
from pathlib import Path

from sagemaker.core.local.local_session import LocalSession
from sagemaker.core.processing import ScriptProcessor
from sagemaker.core.shapes import (
    ProcessingInput,
    ProcessingOutput,
    ProcessingS3Input,
    ProcessingS3Output,
)

image, data, code, out = sys.argv[1:]
session = LocalSession()
session.config = {"local": {"container_root": out}}
raw = session.upload_data(f"{data}/raw_churn.csv", session.default_bucket(), "v3-local/raw")
processor = ScriptProcessor(
    image_uri=image,
    command=["python3"],
    role="arn:aws:iam::111122223333:role/SageMakerRole",
    instance_count=1,
    instance_type="local",
    sagemaker_session=session,
)
processor.run(
    code=f"{code}/prepare_xgboost.py",
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
                s3_uri=f"file://{out}/{name}",
                local_path=f"/opt/ml/processing/{name}",
                s3_upload_mode="EndOfJob",
            ),
        )
        for name in ("train", "validation", "test")
    ],
    wait=False,
)
for name in ("train", "validation", "test"):
    lines = Path(out, name, f"{name}.csv").read_text().splitlines()
    print(name, len(lines), len(lines[0].split(",")) - 1)
