"""Our images under SDK v2's local mode, as they are (`instance_type="local"`, `LocalSession`)."""

from collections.abc import Mapping
from pathlib import Path

from sdk_kit import EXAMPLE, PROGRAMS, numbers, printed

HERE = Path(__file__).parent


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


def test_processing(local_mode, churn, images: Mapping[str, str], run):
    """It can't do without S3 and STS, which it finds on this machine."""
    program = HERE / "programs" / "v2_processing.py"
    out = run("v2", program, images["processing"], churn.folder, EXAMPLE / "code", local_mode.out)
    sizes = {name: printed(out, name) for name in ("train", "validation", "test")}
    assert sizes == {"train": "2333 69", "validation": "666 69", "test": "334 69"}


def test_what_it_takes_for_success(local_mode, images: Mapping[str, str]):
    """Exit code 130 is "Completed", and a failed job overwrites the good model before it."""
    out = local_mode.run("v2_faults.py", images["processing"], local_mode.out)
    assert printed(out, "exit 130") == "Completed"
    assert printed(out, "exit 1") == "RuntimeError, with the failure file's text: False"
    assert printed(out, "models") == "['model.tar.gz', 'output.tar.gz']"
    assert printed(out, "in the model") == "['last']"
