"""The script-mode program, run as the training image runs it: a process with SM_* variables."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

SCRIPT = Path(__file__).parents[3] / "examples" / "churn" / "code" / "rf" / "sklearn_rf.py"


@pytest.fixture(scope="module")
def channels(preprocessing, raw_file, tmp_path_factory):
    root = tmp_path_factory.mktemp("channels")
    preprocessing.run(
        0.2, source=raw_file, train=root / "train" / "train.csv", test=root / "test" / "test.csv"
    )
    return root


def environment(channels, folder, **more):
    variables = {key: value for key, value in os.environ.items() if not key.startswith("SM_")}
    return variables | {
        "SM_MODEL_DIR": str(folder / "model"),
        "SM_OUTPUT_DATA_DIR": str(folder / "output"),
        "SM_CHANNEL_TRAIN": str(channels / "train"),
        **more,
    }


def run(env, *arguments):
    return subprocess.run(
        [sys.executable, "-W", "error", str(SCRIPT), *arguments],
        env=env, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained(channels, tmp_path_factory):
    folder = tmp_path_factory.mktemp("job")
    env = environment(channels, folder, SM_CHANNEL_TEST=str(channels / "test"))
    done = run(env, "--n_estimators", "50")
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def number(name, text):
    found = re.search(rf"^{name}=([0-9.]+);$", text, re.MULTILINE)
    assert found, text
    return float(found.group(1))


def test_it_learns_and_prints_metric_lines(trained):
    _, printed = trained
    assert "2666 rows x 73 features, measuring on 667 rows" in printed
    assert number("accuracy", printed) > 0.92  # always saying "stays" gives 0.855
    assert number("f1", printed) > 0.6


def test_the_required_package_draws_the_report(trained):
    assert "|   predicted stayed |" in trained[1]


def test_model_fn_loads_what_was_saved_and_it_predicts(trained, channels, sklearn_rf):
    folder, printed = trained
    model = sklearn_rf.model_fn(str(folder / "model"))
    assert model.n_estimators == 50
    test = pd.read_csv(channels / "test" / "test.csv")
    predicted = model.predict(test.drop(columns="churn"))
    accuracy = (predicted == test["churn"]).mean()
    assert accuracy == pytest.approx(number("accuracy", printed), abs=1e-4)


def test_the_tables_for_a_person(trained):
    output = trained[0] / "output"
    metrics = json.loads((output / "metrics.json").read_text())
    assert set(metrics) == {"accuracy", "f1", "precision", "recall"}
    confusion = pd.read_csv(output / "confusion_matrix.csv", index_col=0)
    assert confusion.to_numpy().sum() == 667
    importance = pd.read_csv(output / "feature_importances.csv")
    assert len(importance) == 73
    assert importance["importance"].sum() == pytest.approx(1)
    assert importance["importance"].is_monotonic_decreasing


def test_without_a_test_channel_it_measures_on_rows_held_back(channels, tmp_path):
    done = run(environment(channels, tmp_path), "--n-estimators", "5")
    assert done.returncode == 0, done.stderr
    assert "2132 rows x 73 features, measuring on 534 rows" in done.stdout


def test_a_channel_may_hold_several_files(channels, sklearn_rf, tmp_path):
    table = pd.read_csv(channels / "train" / "train.csv")
    table.head(100).to_csv(tmp_path / "part-0.csv", index=False)
    table.tail(50).to_csv(tmp_path / "part-1.csv", index=False)
    features, labels = sklearn_rf.read_channel(tmp_path)
    assert features.shape == (150, 73)
    assert "churn" not in features.columns
    assert labels.tolist() == [*table["churn"].head(100), *table["churn"].tail(50)]


def test_an_empty_channel_is_named(channels, tmp_path):
    (tmp_path / "nothing").mkdir()
    done = run(environment(channels, tmp_path, SM_CHANNEL_TRAIN=str(tmp_path / "nothing")))
    assert done.returncode == 1
    assert f"channel {tmp_path / 'nothing'} holds no .csv file" in done.stderr


def test_a_file_without_the_label_is_refused(sklearn_rf, tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    with pytest.raises(ValueError, match=r"no column 'churn' .* \['x', 'y'\]"):
        sklearn_rf.read_channel(tmp_path)


def test_outside_a_container_it_says_what_is_missing(channels, tmp_path):
    env = environment(channels, tmp_path)
    del env["SM_MODEL_DIR"]
    done = run(env)
    assert done.returncode == 2
    assert "--model-dir" in done.stderr
