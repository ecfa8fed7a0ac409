"""An Estimator of ours, trained and deployed by SDK v2."""

import sys
from pathlib import Path

import sagemaker
from sagemaker.deserializers import CSVDeserializer
from sagemaker.serializers import CSVSerializer

from sagedock import Estimator, TrainingInput

training_image, serving_image, data = sys.argv[1:]
session = sagemaker.Session()
bucket = session.default_bucket()
channels = {
    name: TrainingInput(
        session.upload_data(f"{data}/xgboost/{name}/{name}.csv", bucket, f"interop/{name}"),
        content_type="text/csv",
    )
    for name in ("train", "validation")
}
ours = Estimator(
    training_image,
    instance_type="ml.m5.large",
    hyperparameters={"num_round": 50, "max_depth": 5, "eta": 0.2, "objective": "binary:logistic"},
)
theirs = ours.to_sdk_v2()
print("class", f"{type(theirs).__module__}.{type(theirs).__qualname__}")
theirs.fit({name: item.to_sdk_v2() for name, item in channels.items()})
attached = Estimator.attach(theirs.latest_training_job.name)
print("same model", attached.model_data == theirs.model_data)
predictor = theirs.deploy(
    1,
    "ml.m5.large",
    image_uri=serving_image,
    serializer=CSVSerializer(),
    deserializer=CSVDeserializer(),
    wait=False,
)
session.wait_for_endpoint(predictor.endpoint_name, poll=1)
answers = predictor.predict(Path(data, "rows", "rows.csv").read_text())
print("answers", ",".join(value for row in answers for value in row))
predictor.delete_endpoint()
