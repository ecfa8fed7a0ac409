"""A job that does nothing, as a user of SDK v2 writes it: prints the seconds that `fit()` took.

python fit_v2.py IMAGE FOLDER local|service
"""

from __future__ import annotations

import sys
import time

import sagemaker
from sagemaker.estimator import Estimator
from sagemaker.local import LocalSession


def main(image: str, folder: str, where: str) -> None:
    if where == "local":
        session = LocalSession()
        session.config = {"local": {"local_code": True, "container_root": folder}}
        kind, output = "local", f"file://{folder}/models"
    else:
        session = sagemaker.Session()
        kind, output = "ml.m5.large", f"s3://{session.default_bucket()}/models"
    estimator = Estimator(
        image_uri=image,
        role="arn:aws:iam::111122223333:role/SageMakerRole",
        instance_count=1,
        instance_type=kind,
        output_path=output,
        sagemaker_session=session,
    )
    begun = time.perf_counter()
    estimator.fit(wait=True, logs=True)
    print(f"fit {time.perf_counter() - begun:.4f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
