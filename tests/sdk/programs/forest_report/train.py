"""A random forest, and a table for people that needs a package of its own."""

import argparse
import os
from pathlib import Path

import joblib
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from tabulate import tabulate


def read(folder: str) -> tuple[pd.DataFrame, pd.Series]:
    table = pd.concat(pd.read_csv(file) for file in sorted(Path(folder).glob("*.csv")))
    return table.drop(columns="churn"), table["churn"]


def model_fn(model_dir: str) -> RandomForestClassifier:
    return joblib.load(Path(model_dir) / "model.joblib")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--n_estimators", type=int, default=10)
    arguments = parser.parse_args()
    features, labels = read(os.environ["SM_CHANNEL_TRAIN"])
    forest = RandomForestClassifier(arguments.n_estimators, random_state=42)
    forest.fit(features.to_numpy(), labels)
    test, truth = read(os.environ["SM_CHANNEL_TEST"])
    rows = zip(features.columns, forest.feature_importances_, strict=True)
    print(tabulate(sorted(rows, key=lambda row: -row[1])[:5], tablefmt="github"))
    print(f"accuracy={forest.score(test.to_numpy(), truth):.4f};", flush=True)
    joblib.dump(forest, Path(os.environ["SM_MODEL_DIR"]) / "model.joblib")
