"""Programs for SageMaker's SDK v2, unchanged, on this machine."""

import ast
import re

import pytest
from sdk_kit import printed


@pytest.mark.program("v2", "v2_xgboost.py", "{churn}")
def test_built_in_xgboost(out):
    """Training by the built-in image's URI, logs, attach, an endpoint, a transform job, metrics."""
    assert re.search(
        r"Image \S+sagemaker-xgboost:1.7-1 is AWS's own: sagedock/training runs in", out
    )
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


@pytest.mark.program("v2", "v2_sklearn.py", "{churn}", "{code}", "{programs}/forest_report")
def test_scikit_learn(out):
    """SKLearnProcessor, SKLearn with requirements, its endpoint with code that lies in S3."""
    assert "| Day Mins" in out  # tabulate's: what requirements.txt names was there
    final = ast.literal_eval(printed(out, "final"))
    assert final["accuracy"] > 0.92
    assert float(printed(out, "accuracy")) == pytest.approx(final["accuracy"], abs=1e-4)


@pytest.mark.program("v2", "v2_processing.py", "{processing}", "{churn}", "{code}")
def test_script_processor(out):
    sizes = {name: printed(out, name) for name in ("train", "validation", "test")}
    assert sizes == {"train": "2333 69", "validation": "666 69", "test": "334 69"}
    assert "raw_churn.csv: 3333 rows, 20 columns" in out  # the job's log


@pytest.mark.program("v2", "v2_failures.py", "{processing}", "{serving}")
def test_failures_are_told_and_harm_nothing(out):
    """What the official local mode gets wrong (`local_mode/programs/v2_faults.py`), done right."""
    assert printed(out, "first") == "Completed"
    for name, code in (("second", 130), ("third", 1)):
        reason = f"AlgorithmError: told by the job, exit code: {code}"
        assert f"{name}: Failed. Reason: {reason}" in printed(out, name)
    assert printed(out, "reason") == "AlgorithmError: told by the job, exit code: 130"
    assert printed(out, "models") == "['/first/output/model.tar.gz']"
    assert printed(out, "again") == "ResourceInUse"
    assert printed(out, "invalid").startswith("ValidationException 1 validation error detected")
    assert printed(out, "wait=False") == "InProgress"
    assert printed(out, "stopped") == "Stopped"
    assert printed(out, "nobody") == "ValidationError"
    assert printed(out, "broken") == "True"


@pytest.mark.program("v2", "v2_endpoints.py", "{training}", "{serving}", "{churn}")
def test_endpoints_of_other_kinds(out):
    """Updated in place, asynchronous, many models behind one."""
    assert printed(out, "updated") == "334 True"
    assert printed(out, "asynchronous") == "True"
    assert printed(out, "models") == "['long.tar.gz', 'short.tar.gz']"
    assert printed(out, "short") == printed(out, "long") == "True"
