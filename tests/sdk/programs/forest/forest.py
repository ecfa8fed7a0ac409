"""A random forest as a training script: reads what SageMaker lays down, leaves model.joblib."""

import argparse
import os
from pathlib import Path

import joblib
import pandas as pd
from sklearn.ensemble import RandomForestClassifier


def read(folder: str) -> tuple[pd.DataFrame, pd.Series]:
    table = pd.concat(pd.read_csv(file) for file in sorted(Path(folder).glob("*.csv")))
    return table.drop(columns="churn"), table["churn"]


def model_fn(model_dir: str) -> RandomForestClassifier:
    return joblib.load(Path(model_dir) / "model.joblib")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--n_estimators", type=int, default=10)
    parser.add_argument("--train", default=os.environ["SM_CHANNEL_TRAIN"])
    parser.add_argument("--test", default=os.environ["SM_CHANNEL_TEST"])
    parser.add_argument("--model-dir", default=os.environ["SM_MODEL_DIR"])
    arguments = parser.parse_args()
    forest = RandomForestClassifier(arguments.n_estimators, random_state=42)
    forest.fit(*read(arguments.train))
    print(f"trees={len(forest.estimators_)};")
    print(f"accuracy={forest.score(*read(arguments.test)):.4f};", flush=True)
    joblib.dump(forest, Path(arguments.model_dir) / "model.joblib")
