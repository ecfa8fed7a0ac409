"""Programs for SageMaker's SDK v3, unchanged, on this machine."""

import re

import pytest
from sdk_kit import printed


@pytest.mark.program("v3", "v3_trainer.py", "{processing}", "{training}", "{churn}", "{code}")
def test_processing_and_model_trainer(out):
    """A script of the user's with requirements, run by the SDK's own drivers."""
    assert "train.csv: 2666 rows, 73 features" in out
    assert printed(out, "status") == "Completed"
    assert printed(out, "model").endswith("/output/model.tar.gz")
    assert float(re.findall(r"accuracy=([0-9.]+);", out)[-1]) > 0.92


@pytest.mark.program("v3", "v3_serving.py", "{training}", "{serving}", "{churn}")
def test_model_builder_and_transformer(out, churn):
    answers = [float(text) for text in printed(out, "answers").split(",")]
    assert churn.accuracy(answers) > 0.94
    scores = [float(text) for text in printed(out, "scores").split(",")]
    assert scores == pytest.approx(answers, abs=1e-6)
