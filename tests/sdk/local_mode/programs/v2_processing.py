"""SDK v2's local mode: preprocessing. Its code and inputs go through S3, local or not."""

import sys

from sagemaker.local import LocalSession
from sagemaker.processing import ProcessingInput, ProcessingOutput, ScriptProcessor
from sagemaker.s3 import S3Downloader

image, data, code, out = sys.argv[1:]
session = LocalSession()
session.config = {"local": {"local_code": True, "container_root": out}}
bucket = session.default_bucket()
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
    inputs=[ProcessingInput(f"{data}/raw_churn.csv", "/opt/ml/processing/input")],
    outputs=[
        ProcessingOutput(
            output_name=name,
            source=f"/opt/ml/processing/{name}",
            destination=f"s3://{bucket}/v2-local/{name}",
        )
        for name in ("train", "validation", "test")
    ],
)
for name in ("train", "validation", "test"):
    lines = S3Downloader.read_file(f"s3://{bucket}/v2-local/{name}/{name}.csv").splitlines()
    print(name, len(lines), len(lines[0].split(",")) - 1)
