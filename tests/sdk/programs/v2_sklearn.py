"""scikit-learn with SDK v2: a processing job, script mode with requirements, an endpoint."""

import io
import sys

import numpy as np
import pandas as pd
import sagemaker
from sagemaker.processing import ProcessingInput, ProcessingOutput
from sagemaker.s3 import S3Downloader
from sagemaker.sklearn import SKLearn, SKLearnProcessor

data, code, source = sys.argv[1:]
session = sagemaker.Session()
role = sagemaker.get_execution_role()

processor = SKLearnProcessor(
    framework_version="1.2-1",
    role=role,
    instance_type="ml.m5.large",
    instance_count=1,
    sagemaker_session=session,
)
processor.run(
    code=f"{code}/preprocessing.py",
    inputs=[ProcessingInput(f"{data}/raw_churn.csv", "/opt/ml/processing/input")],
    outputs=[
        ProcessingOutput(output_name=name, source=f"/opt/ml/processing/{name}")
        for name in ("train", "test")
    ],
    arguments=["--train-test-split-ratio", "0.2"],
)
outputs = processor.latest_job.describe()["ProcessingOutputConfig"]["Outputs"]
tables = {item["OutputName"]: item["S3Output"]["S3Uri"] for item in outputs}

estimator = SKLearn(
    entry_point="train.py",
    source_dir=source,
    framework_version="1.2-1",
    py_version="py3",
    role=role,
    instance_count=1,
    instance_type="ml.m5.large",
    hyperparameters={"n_estimators": 50},
    metric_definitions=[{"Name": "accuracy", "Regex": "accuracy=([0-9.]+);"}],
    sagemaker_session=session,
)
estimator.fit(tables, wait=True, logs="All")
description = estimator.latest_training_job.describe()
print("final", {item["MetricName"]: item["Value"] for item in description["FinalMetricDataList"]})

predictor = estimator.deploy(1, "ml.m5.large", wait=False)
session.wait_for_endpoint(predictor.endpoint_name, poll=1)
test = pd.read_csv(io.StringIO(S3Downloader.read_file(f"{tables['test']}/test.csv")))
answers = predictor.predict(test.drop(columns="churn").to_numpy(dtype=float))
print("accuracy", (np.ravel(answers) == test["churn"]).mean())
predictor.delete_endpoint()
