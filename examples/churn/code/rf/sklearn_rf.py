"""Script mode: a random forest on the tables of `preprocessing.py`, and how to load it again.

Reads every CSV file of a channel (header, label `churn`), saves `model.joblib` for serving and
the tables a person looks at for `output.tar.gz`. It must run anywhere the SM_* variables are set.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import joblib
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    precision_score,
    recall_score,
)
from sklearn.model_selection import train_test_split
from tabulate import tabulate  # not in the image: requirements.txt brings it

if TYPE_CHECKING:
    import numpy as np

LABEL = "churn"
MODEL_FILE = "model.joblib"
NAMES = ["stayed", "churned"]


def model_fn(model_dir: str) -> RandomForestClassifier:
    """What serving calls: the model that `main` saved."""
    return joblib.load(Path(model_dir) / MODEL_FILE)


def read_channel(folder: Path) -> tuple[pd.DataFrame, pd.Series]:
    """All CSV files in `folder`, as (features, labels)."""
    files = sorted(folder.glob("*.csv"))
    if not files:
        raise FileNotFoundError(f"channel {folder} holds no .csv file")
    table = pd.concat([pd.read_csv(file) for file in files], ignore_index=True)
    if LABEL not in table.columns:
        raise ValueError(
            f"no column {LABEL!r} in {folder}; the first columns are {list(table.columns[:5])}"
        )
    return table.drop(columns=LABEL), table[LABEL].astype(int)


def read_data(
    train: Path, test: Path | None, random_state: int
) -> tuple[pd.DataFrame, pd.DataFrame, pd.Series, pd.Series]:
    """(train features, test features, train labels, test labels).

    Without a test channel a fifth of the training rows is held back to measure on.
    """
    features, labels = read_channel(train)
    if test is None:
        return train_test_split(
            features, labels, test_size=0.2, stratify=labels, random_state=random_state
        )
    test_features, test_labels = read_channel(test)
    return features, test_features, labels, test_labels


def measure(labels: pd.Series, predicted: np.ndarray) -> dict[str, float]:
    return {
        "accuracy": float(accuracy_score(labels, predicted)),
        "f1": float(f1_score(labels, predicted)),
        "precision": float(precision_score(labels, predicted, zero_division=0)),
        "recall": float(recall_score(labels, predicted)),
    }


def confusion_table(labels: pd.Series, predicted: np.ndarray) -> pd.DataFrame:
    """Rows: what was. Columns: what the model said."""
    counts = confusion_matrix(labels, predicted, labels=[0, 1])
    return pd.DataFrame(counts, index=NAMES, columns=[f"predicted {name}" for name in NAMES])


def importance_table(model: RandomForestClassifier) -> pd.DataFrame:
    """One row a feature, the most important first."""
    table = pd.DataFrame(
        {"feature": model.feature_names_in_, "importance": model.feature_importances_}
    )
    return table.sort_values("importance", ascending=False, ignore_index=True)


def report(metrics: dict[str, float], confusion: pd.DataFrame, importance: pd.DataFrame) -> None:
    """For a person, then one line a metric for MetricDefinitions: `accuracy=0.9415;`."""
    print(tabulate(confusion, headers="keys", tablefmt="github"))
    print(
        tabulate(
            importance.head(8), headers="keys", tablefmt="github", showindex=False, floatfmt=".3f"
        )
    )
    for name, value in metrics.items():
        print(f"{name}={value:.4f};", flush=True)


def save_tables(
    folder: Path, metrics: dict[str, float], confusion: pd.DataFrame, importance: pd.DataFrame
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    confusion.to_csv(folder / "confusion_matrix.csv")
    importance.to_csv(folder / "feature_importances.csv", index=False)


def train(arguments: argparse.Namespace) -> dict[str, float]:
    """Fits, measures, reports, saves; returns the metrics."""
    features, test_features, labels, test_labels = read_data(
        arguments.train, arguments.test, arguments.random_state
    )
    print(
        f"training on {features.shape[0]} rows x {features.shape[1]} features, "
        f"measuring on {len(test_features)} rows",
        flush=True,
    )
    model = RandomForestClassifier(
        n_estimators=arguments.n_estimators,
        min_samples_leaf=arguments.min_samples_leaf,
        random_state=arguments.random_state,
        n_jobs=arguments.n_jobs,
    ).fit(features, labels)
    predicted = model.predict(test_features)
    results = (
        measure(test_labels, predicted),
        confusion_table(test_labels, predicted),
        importance_table(model),
    )
    report(*results)
    save_tables(arguments.output_data_dir, *results)
    arguments.model_dir.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, arguments.model_dir / MODEL_FILE)
    return results[0]


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    env = os.environ
    test = env.get("SM_CHANNEL_TEST")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    # Hyperparameters arrive as `--<name> <value>`, spelt as in the request: both spellings work.
    parser.add_argument("--n-estimators", "--n_estimators", type=int, default=50)
    parser.add_argument("--min-samples-leaf", "--min_samples_leaf", type=int, default=1)
    parser.add_argument("--random-state", "--random_state", type=int, default=42)
    parser.add_argument("--n-jobs", type=int, default=int(env.get("SM_NUM_CPUS", "1")))
    parser.add_argument("--output-data-dir", type=Path, default=env.get("SM_OUTPUT_DATA_DIR"))
    parser.add_argument("--model-dir", type=Path, default=env.get("SM_MODEL_DIR"))
    parser.add_argument("--train", type=Path, default=env.get("SM_CHANNEL_TRAIN"))
    parser.add_argument("--test", type=Path, default=test)
    arguments = parser.parse_args(argv)
    for name in ("output_data_dir", "model_dir", "train"):
        if getattr(arguments, name) is None:
            parser.error(f"no --{name.replace('_', '-')}, and its SM_ variable is not set")
    return arguments


if __name__ == "__main__":
    train(parse())
