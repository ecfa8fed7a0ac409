"""Three training jobs with SDK v2's local mode, to one folder: exit codes 0, 130 and 1."""

import sys
import tarfile
from pathlib import Path

from sagemaker.estimator import Estimator
from sagemaker.local import LocalSession

image, out = sys.argv[1:]
session = LocalSession()
session.config = {"local": {"local_code": True, "container_root": out}}
script = (
    "mkdir -p /opt/ml/model; echo '{name}' >/opt/ml/model/{name};"
    "echo 'told by the job' >/opt/ml/output/failure; exit {code}"
)


def fit(name: str, code: int) -> Estimator:
    estimator = Estimator(
        image_uri=image,
        container_entry_point=["sh", "-c", script.format(name=name, code=code)],
        role="arn:aws:iam::111122223333:role/SageMakerRole",
        instance_count=1,
        instance_type="local",
        output_path=f"file://{out}/models",
        sagemaker_session=session,
    )
    estimator.fit(job_name=name)
    return estimator


fit("first", 0)
interrupted = fit("second", 130)
print("exit 130", interrupted.latest_training_job.describe()["TrainingJobStatus"])
try:
    fit("last", 1)
except RuntimeError as error:
    print("exit 1", f"{type(error).__name__}, with the failure file's text:", "told" in str(error))
print("models", sorted(path.name for path in Path(out, "models").iterdir()))
with tarfile.open(Path(out, "models", "model.tar.gz")) as archive:
    print("in the model", [name for name in archive.getnames() if name])
