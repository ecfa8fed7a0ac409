"""Programs for SageMaker's SDK v2, unchanged, on this machine."""

import ast
import re
from collections.abc import Mapping

import pytest
from sdk_kit import EXAMPLE, PROGRAMS, printed


def test_built_in_xgboost(run, churn):
    """Training by the built-in image's URI, logs, attach, an endpoint, a transform job, metrics."""
    out = run("v2", "v2_xgboost.py", churn.folder)
    assert "role arn:aws:iam::000000000000:role/SageMakerRole" in out
    assert len(re.findall(r"^\[\d+\]#011train-error:", out, re.M)) == 50  # every line of the log
    assert "Training seconds:" in out
    assert printed(out, "attached") == "True " + str(
        {"num_round": "50", "max_depth": "5", "eta": "0.2", "objective": "binary:logistic"}
    )
    assert float(printed(out, "accuracy")) > 0.94
    assert printed(out, "same scores") == "True"
    count, last = printed(out, "metrics").split()
    assert int(count) >= 1
    assert 0.03 < float(last) < 0.2


def test_scikit_learn(run, churn):
    """SKLearnProcessor, SKLearn with requirements, its endpoint with code that lies in S3."""
    out = run("v2", "v2_sklearn.py", churn.folder, EXAMPLE / "code", PROGRAMS / "forest_report")
    assert "| Day Mins" in out  # tabulate's: what requirements.txt names was there
    final = ast.literal_eval(printed(out, "final"))
    assert final["accuracy"] > 0.92
    assert float(printed(out, "accuracy")) == pytest.approx(final["accuracy"], abs=1e-4)


def test_script_processor(run, churn, images: Mapping[str, str]):
    out = run("v2", "v2_processing.py", images["processing"], churn.folder, EXAMPLE / "code")
    sizes = {name: printed(out, name) for name in ("train", "validation", "test")}
    assert sizes == {"train": "2333 69", "validation": "666 69", "test": "334 69"}
    assert "raw_churn.csv: 3333 rows, 20 columns" in out  # the job's log
