"""SDK v2's local mode without AWS: train XGBoost, serve it, score a file in batch."""

import sys
from pathlib import Path

from sagemaker.deserializers import CSVDeserializer
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.local import LocalSession
from sagemaker.model import Model
from sagemaker.predictor import Predictor
from sagemaker.serializers import CSVSerializer

ROLE = "arn:aws:iam::111122223333:role/SageMakerRole"
training_image, serving_image, data, out, port = sys.argv[1:]

session = LocalSession()
session.config = {"local": {"local_code": True, "container_root": out, "serving_port": int(port)}}
estimator = Estimator(
    image_uri=training_image,
    role=ROLE,
    instance_count=1,
    instance_type="local",
    hyperparameters={"num_round": 50, "max_depth": 5, "eta": 0.2, "objective": "binary:logistic"},
    output_path=f"file://{out}/models",
    sagemaker_session=session,
)
estimator.fit(
    {
        name: TrainingInput(f"file://{data}/xgboost/{name}", content_type="text/csv")
        for name in ("train", "validation")
    }
)

model = Model(serving_image, estimator.model_data, ROLE, sagemaker_session=session)
model.deploy(1, "local", wait=False)  # waiting would look again after 30 s only
predictor = Predictor(
    model.endpoint_name,
    sagemaker_session=session,
    serializer=CSVSerializer(),
    deserializer=CSVDeserializer(),
)
rows = Path(data, "rows", "rows.csv").read_text()
answers = [float(value) for row in predictor.predict(rows) for value in row]
Path(out, "answers.txt").write_text("\n".join(map(str, answers)))
predictor.delete_endpoint()

transformer = model.transformer(
    1,
    "local",
    strategy="MultiRecord",
    assemble_with="Line",
    accept="text/csv",
    output_path=f"file://{out}/scores",
)
transformer.transform(f"file://{data}/rows", content_type="text/csv", split_type="Line", wait=False)
