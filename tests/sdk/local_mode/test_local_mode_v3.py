"""Our images under SDK v3's local container mode, as they are (`Mode.LOCAL_CONTAINER`)."""

from collections.abc import Mapping
from pathlib import Path

from sdk_kit import EXAMPLE, PROGRAMS, numbers, printed

HERE = Path(__file__).parent


def test_training_endpoint_and_transform(local_mode, churn, images: Mapping[str, str], port):
    """Training without code passes no `train`: the image has it as its CMD."""
    local_mode.run(
        "v3_xgboost.py", images["training"], images["serving"], churn.folder, local_mode.out, port
    )
    model = local_mode.out / "compressed_artifacts" / "model.tar.gz"
    assert local_mode.members(model) == ["xgboost-model"]
    answers = numbers(local_mode.out / "answers.txt")
    assert churn.accuracy(answers) > 0.94
    assert numbers(local_mode.out / "scores" / "rows.csv.out") == answers


def test_script_mode(local_mode, churn, images: Mapping[str, str]):
    """The SDK brings its own drivers along: bash, python3 and pip3 are what they need."""
    printed = local_mode.run(
        "v3_script.py", images["training"], PROGRAMS / "forest", churn.folder, local_mode.out
    )
    assert "trees=50;" in printed
    assert float(printed.partition("accuracy=")[2].partition(";")[0]) > 0.91
    model = local_mode.out / "compressed_artifacts" / "model.tar.gz"
    assert local_mode.members(model) == ["model.joblib"]


def test_processing(local_mode, churn, images: Mapping[str, str], run):
    """It can't do without S3 and STS, which it finds on this machine."""
    program = HERE / "programs" / "v3_processing.py"
    out = run("v3", program, images["processing"], churn.folder, EXAMPLE / "code", local_mode.out)
    sizes = {name: printed(out, name) for name in ("train", "validation", "test")}
    assert sizes == {"train": "2333 69", "validation": "666 69", "test": "334 69"}
