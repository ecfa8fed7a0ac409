"""SDK v3's local container mode without AWS: train XGBoost, serve it, score a file in batch."""

import sys
from pathlib import Path

from sagemaker.core.local.local_session import LocalSession
from sagemaker.core.transformer import Transformer
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData
from sagemaker.train.model_trainer import Mode

ROLE = "arn:aws:iam::111122223333:role/SageMakerRole"
training_image, serving_image, data, out, port = sys.argv[1:]

trainer = ModelTrainer(
    training_mode=Mode.LOCAL_CONTAINER,
    training_image=training_image,
    compute=Compute(instance_type="local_cpu", instance_count=1),
    hyperparameters={"num_round": 50, "max_depth": 5, "eta": 0.2, "objective": "binary:logistic"},
    base_job_name="churn",
    local_container_root=out,
    role=ROLE,
)
trainer.train(
    [
        InputData(channel_name=name, data_source=f"{data}/xgboost/{name}", content_type="text/csv")
        for name in ("train", "validation")
    ]
)

session = LocalSession()
session.config = {"local": {"container_root": out, "serving_port": int(port)}}
client, runtime = session.sagemaker_client, session.sagemaker_runtime_client
model = f"file://{out}/compressed_artifacts/model.tar.gz"
client.create_model("churn", {"Image": serving_image, "ModelDataUrl": model, "Environment": {}})
client.create_endpoint_config(
    "churn",
    [
        {
            "VariantName": "AllTraffic",
            "ModelName": "churn",
            "InitialInstanceCount": 1,
            "InstanceType": "local",
        }
    ],
)
client.create_endpoint("churn", "churn")
rows = Path(data, "rows", "rows.csv").read_bytes()
answer = runtime.invoke_endpoint(rows, "churn", ContentType="text/csv", Accept="text/csv")
Path(out, "answers.txt").write_bytes(answer["Body"].read())
client.delete_endpoint("churn")

transformer = Transformer(
    "churn",
    1,
    "local",
    strategy="MultiRecord",
    assemble_with="Line",
    accept="text/csv",
    output_path=f"file://{out}/scores",
    base_transform_job_name="churn",
    sagemaker_session=session,
)
transformer.transform(f"file://{data}/rows", content_type="text/csv", split_type="Line", wait=False)
