"""The same job through SageMaker SDK v2's local mode: prints the seconds that `fit()` took."""

from __future__ import annotations

import sys
import time

from sagemaker.estimator import Estimator
from sagemaker.local import LocalSession


def main(image: str, data: str) -> None:
    session = LocalSession()
    session.config = {"local": {"local_code": True, "container_root": data}}
    estimator = Estimator(
        image_uri=image,
        role="arn:aws:iam::111122223333:role/SageMakerRole",
        instance_count=1,
        instance_type="local",
        output_path=f"file://{data}/models",
        sagemaker_session=session,
    )
    begun = time.perf_counter()
    estimator.fit()
    print(f"fit {time.perf_counter() - begun:.4f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
