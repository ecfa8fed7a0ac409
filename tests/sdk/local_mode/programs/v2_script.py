"""SDK v2's local mode without AWS: a training script of one's own."""

import sys

from sagemaker.local import LocalSession
from sagemaker.sklearn import SKLearn

training_image, code, data, out = sys.argv[1:]
session = LocalSession()
session.config = {"local": {"local_code": True, "container_root": out}}
estimator = SKLearn(
    entry_point="forest.py",
    source_dir=code,
    image_uri=training_image,
    role="arn:aws:iam::111122223333:role/SageMakerRole",
    instance_count=1,
    instance_type="local",
    hyperparameters={"n_estimators": 50},
    output_path=f"file://{out}/models",
    sagemaker_session=session,
)
estimator.fit({name: f"file://{data}/forest/{name}" for name in ("train", "test")})
print("model", estimator.model_data)
