"""SDK v3: the XGBoost image trained by ModelTrainer, served by ModelBuilder, scored in batch."""

import sys
from pathlib import Path

from sagemaker.core.helper.session_helper import Session, get_execution_role
from sagemaker.core.shapes import OutputDataConfig
from sagemaker.core.transformer import Transformer
from sagemaker.serve import ModelBuilder
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData

training_image, serving_image, data = sys.argv[1:]
session = Session()
role = get_execution_role()
bucket = session.default_bucket()

trainer = ModelTrainer(
    training_image=training_image,
    compute=Compute(instance_type="ml.m5.large", instance_count=1),
    hyperparameters={"num_round": 50, "max_depth": 5, "eta": 0.2, "objective": "binary:logistic"},
    output_data_config=OutputDataConfig(s3_output_path=f"s3://{bucket}/v3/models"),
    base_job_name="churn",
    role=role,
    sagemaker_session=session,
)
trainer.train(
    [
        InputData(
            channel_name=name,
            data_source=f"{data}/xgboost/{name}/{name}.csv",
            content_type="text/csv",
        )
        for name in ("train", "validation")
    ]
)
job = trainer._latest_training_job
job.refresh()
artifacts = job.model_artifacts.s3_model_artifacts

builder = ModelBuilder(
    image_uri=serving_image,
    s3_model_data_url=artifacts,
    role_arn=role,
    instance_type="ml.m5.large",
    sagemaker_session=session,
)
model = builder.build(model_name="churn-v3")
endpoint = builder.deploy(endpoint_name="churn-v3", initial_instance_count=1)
rows = Path(data, "rows", "rows.csv").read_text()
answer = endpoint.invoke(body=rows, content_type="text/csv", accept="text/csv")
print("answers", answer.body.read().decode().replace("\n", ",").strip(","))
endpoint.delete()

transformer = Transformer(
    model_name="churn-v3",
    instance_count=1,
    instance_type="ml.m5.large",
    strategy="MultiRecord",
    assemble_with="Line",
    accept="text/csv",
    output_path=f"s3://{bucket}/v3/scores",
    sagemaker_session=session,
)
where = session.upload_data(f"{data}/rows/rows.csv", bucket, "v3/rows")
transformer.transform(where, content_type="text/csv", split_type="Line")
scores = session.read_s3_file(bucket, "v3/scores/rows.csv.out")
print("scores", ",".join(scores.split()))
