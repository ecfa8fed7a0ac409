"""The built-in XGBoost with SDK v2: train, look back, serve, score in batch."""

import sys

import numpy as np
import sagemaker
from sagemaker import image_uris
from sagemaker.analytics import TrainingJobAnalytics
from sagemaker.deserializers import CSVDeserializer
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.s3 import S3Downloader
from sagemaker.serializers import CSVSerializer

data = sys.argv[1]
session = sagemaker.Session()
role = sagemaker.get_execution_role()
bucket = session.default_bucket()
print("role", role)

channels = {}
for name in ("train", "validation"):
    uri = session.upload_data(f"{data}/xgboost/{name}/{name}.csv", bucket, f"churn/{name}")
    channels[name] = TrainingInput(uri, content_type="text/csv")

image = image_uris.retrieve("xgboost", session.boto_region_name, version="1.7-1")
estimator = Estimator(
    image,
    role,
    instance_count=1,
    instance_type="ml.m5.large",
    output_path=f"s3://{bucket}/churn/models",
    base_job_name="churn",
    metric_definitions=[
        {"Name": "validation:error", "Regex": r"validation-error:([0-9.]+)"},
    ],
    sagemaker_session=session,
)
estimator.set_hyperparameters(num_round=50, max_depth=5, eta=0.2, objective="binary:logistic")
estimator.fit(channels, wait=True, logs=True)
job = estimator.latest_training_job.name

attached = Estimator.attach(job, sagemaker_session=session)
print("attached", attached.model_data == estimator.model_data, attached.hyperparameters())

predictor = attached.deploy(
    1, "ml.m5.large", serializer=CSVSerializer(), deserializer=CSVDeserializer()
)
table = np.loadtxt(f"{data}/xgboost/test/test.csv", delimiter=",")
labels, rows = table[:, 0], table[:, 1:]
answers = np.array(predictor.predict(rows), dtype=float).ravel()
print("accuracy", ((answers > 0.5) == (labels == 1)).mean())
predictor.delete_model()
predictor.delete_endpoint()

transformer = estimator.transformer(
    1, "ml.m5.large", strategy="MultiRecord", assemble_with="Line", accept="text/csv"
)
where = session.upload_data(f"{data}/rows", bucket, "churn/rows")
transformer.transform(where, content_type="text/csv", split_type="Line", wait=True, logs=True)
scores = S3Downloader.read_file(f"{transformer.output_path}/rows.csv.out").split()
print("same scores", np.allclose([float(line) for line in scores], answers, atol=1e-6))

frame = TrainingJobAnalytics(job, ["validation:error"]).dataframe()
print("metrics", len(frame), frame["value"].iloc[-1] if len(frame) else None)
