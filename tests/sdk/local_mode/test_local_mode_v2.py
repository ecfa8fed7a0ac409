"""Our images under SDK v2's local mode, as they are (`instance_type="local"`, `LocalSession`)."""

from collections.abc import Mapping
from pathlib import Path

from sdk_kit import PROGRAMS, numbers


def test_training_endpoint_and_transform(local_mode, churn, images: Mapping[str, str], port):
    local_mode.run(
        "v2_xgboost.py", images["training"], images["serving"], churn.folder, local_mode.out, port
    )
    assert local_mode.members(local_mode.out / "models" / "model.tar.gz") == ["xgboost-model"]
    answers = numbers(local_mode.out / "answers.txt")
    assert churn.accuracy(answers) > 0.94
    assert numbers(local_mode.out / "scores" / "rows.csv.out") == answers


def test_script_mode(local_mode, churn, images: Mapping[str, str]):
    printed = local_mode.run(
        "v2_script.py", images["training"], PROGRAMS / "forest", churn.folder, local_mode.out
    )
    assert "trees=50;" in printed
    assert float(printed.partition("accuracy=")[2].partition(";")[0]) > 0.91
    model = Path(printed.rpartition("model file://")[2].strip())
    assert "model.joblib" in local_mode.members(model)
