"""One job that does nothing, through sagedock: prints the seconds that `fit()` took."""

from __future__ import annotations

import sys
import time

import sagedock


def main(image: str, data: str) -> None:
    estimator = sagedock.Estimator(
        image_uri=image,
        instance_type="local",
        output_path=f"{data}/models",
        sagemaker_session=sagedock.Session(data=data),
    )
    begun = time.perf_counter()
    estimator.fit()
    print(f"fit {time.perf_counter() - begun:.4f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
