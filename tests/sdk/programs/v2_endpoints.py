"""More kinds of endpoints with SDK v2: asynchronous, many models behind one, updated in place."""

import sys
from pathlib import Path

import sagemaker
from sagemaker.async_inference import AsyncInferenceConfig, WaiterConfig
from sagemaker.deserializers import CSVDeserializer
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.model import Model
from sagemaker.multidatamodel import MultiDataModel
from sagemaker.serializers import CSVSerializer

training_image, serving_image, data = sys.argv[1:]
session = sagemaker.Session()
role = sagemaker.get_execution_role()
bucket = session.default_bucket()
rows = Path(data, "rows", "rows.csv").read_text()
train = session.upload_data(f"{data}/xgboost/train/train.csv", bucket, "endpoints/train")
formats = {"serializer": CSVSerializer(), "deserializer": CSVDeserializer()}


def trained(rounds: int) -> str:
    estimator = Estimator(
        training_image,
        role,
        instance_count=1,
        instance_type="ml.m5.large",
        hyperparameters={"num_round": rounds, "objective": "binary:logistic"},
        output_path=f"s3://{bucket}/endpoints/models",
        sagemaker_session=session,
    )
    estimator.fit({"train": TrainingInput(train, content_type="text/csv")}, logs=False)
    return estimator.model_data


def flat(answer: list[list[str]]) -> list[float]:
    return [round(float(value), 6) for row in answer for value in row]


short, long = trained(2), trained(40)

model = Model(
    serving_image, short, role, predictor_cls=sagemaker.Predictor, sagemaker_session=session
)
predictor = model.deploy(1, "ml.m5.large", endpoint_name="plain", wait=False, **formats)
session.wait_for_endpoint("plain", poll=1)
of_short = flat(predictor.predict(rows))
other = Model(serving_image, long, role, sagemaker_session=session)
other.create(instance_type="ml.m5.large")
predictor.update_endpoint(1, "ml.m5.large", model_name=other.name, wait=False)
session.wait_for_endpoint("plain", poll=1)
of_long = flat(predictor.predict(rows))
print("updated", len(of_short), of_short != of_long)
predictor.delete_endpoint()

later = Model(
    serving_image, long, role, predictor_cls=sagemaker.Predictor, sagemaker_session=session
)
asynchronous = later.deploy(
    1,
    "ml.m5.large",
    endpoint_name="later",
    async_inference_config=AsyncInferenceConfig(output_path=f"s3://{bucket}/endpoints/async"),
    wait=False,
    **formats,
)
session.wait_for_endpoint("later", poll=1)
patience = WaiterConfig(max_attempts=20, delay=1)  # a thread of the SDK waits for a failure, too
print("asynchronous", flat(asynchronous.predict(rows, waiter_config=patience)) == of_long)
asynchronous.delete_endpoint()

many = MultiDataModel(
    name="many",
    model_data_prefix=f"s3://{bucket}/endpoints/many/",
    image_uri=serving_image,
    role=role,
    predictor_cls=sagemaker.Predictor,
    sagemaker_session=session,
)
switchboard = many.deploy(1, "ml.m5.large", endpoint_name="many", wait=False, **formats)
session.wait_for_endpoint("many", poll=1)
many.add_model(short, "short.tar.gz")
many.add_model(long, "long.tar.gz")
print("models", sorted(many.list_models()))
print("short", flat(switchboard.predict(rows, target_model="short.tar.gz")) == of_short)
print("long", flat(switchboard.predict(rows, target_model="long.tar.gz")) == of_long)
switchboard.delete_endpoint()
