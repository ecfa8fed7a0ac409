"""SDK v3's local container mode without AWS: a training script of one's own."""

import sys

from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, SourceCode
from sagemaker.train.model_trainer import Mode

training_image, code, data, out = sys.argv[1:]
trainer = ModelTrainer(
    training_mode=Mode.LOCAL_CONTAINER,
    training_image=training_image,
    source_code=SourceCode(source_dir=code, entry_script="forest.py"),
    compute=Compute(instance_type="local_cpu", instance_count=1),
    hyperparameters={"n_estimators": 50},
    base_job_name="forest",
    local_container_root=out,
    role="arn:aws:iam::111122223333:role/SageMakerRole",
)
trainer.train(
    [
        InputData(channel_name=name, data_source=f"{data}/forest/{name}")
        for name in ("train", "test")
    ]
)
