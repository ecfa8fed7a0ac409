"""First processing step: raw_churn.csv -> train.csv and test.csv, ready for any scikit-learn model.

Runs in the processing image and knows nothing of SageMaker but the three folders below. Label
`churn` (0 or 1) comes first, then the features. What is learnt from the data (medians, the list
of categories) is learnt from the training rows only, so that nothing of the test rows leaks.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

INPUT = Path("/opt/ml/processing/input/raw_churn.csv")
TRAIN = Path("/opt/ml/processing/train/train.csv")
TEST = Path("/opt/ml/processing/test/test.csv")

RAW_LABEL = "Churn?"
LABEL = "churn"
LABELS = {"True.": 1, "False.": 0}
CATEGORIES = ["State", "Area Code", "Int'l Plan", "VMail Plan"]
DROPPED = ["Phone"]  # the public file has it: one value a row, so nothing to learn from


def read(path: Path) -> pd.DataFrame:
    """The raw table. Categories are text, also the area code, which only looks like a number."""
    raw = pd.read_csv(path, dtype=dict.fromkeys(CATEGORIES, object))
    missing = [name for name in [*CATEGORIES, RAW_LABEL] if name not in raw.columns]
    if missing:
        raise ValueError(f"{path} lacks the columns {missing}; it has {list(raw.columns)}")
    return raw


def binarise(labels: pd.Series) -> pd.Series:
    """`True.`/`False.` -> 1/0, under the same index. Anything else is an error, never a 0."""
    unknown = labels[~labels.isin(list(LABELS))]
    if len(unknown):
        first = unknown.index[0]
        raise ValueError(
            f"{len(unknown)} labels in column {RAW_LABEL!r} are not one of {list(LABELS)}; "
            f"the first is {unknown.iloc[0]!r} in data row {first + 1}"
        )
    return labels.map(LABELS).astype(int).rename(LABEL)


def transformer(numbers: list[str]) -> ColumnTransformer:
    """Numbers: gaps become the median. Categories: gaps become `missing`, then one column each."""
    categories: Pipeline = make_pipeline(
        SimpleImputer(strategy="constant", fill_value="missing"),
        OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=int),
    )
    columns = ColumnTransformer(
        [
            ("numbers", SimpleImputer(strategy="median", keep_empty_features=True), numbers),
            ("categories", categories, CATEGORIES),
        ],
        verbose_feature_names_out=False,
    )
    # Tables out as well as in: names come from the transformer and rows keep their index, which
    # is what ties a row to its label below.
    return columns.set_output(transform="pandas")


def labelled(features: pd.DataFrame, labels: pd.Series) -> pd.DataFrame:
    """`features` with each row's own label as first column, found by index, not by position."""
    table = features.copy()
    table.insert(0, LABEL, labels.loc[features.index])
    return table


def preprocess(
    raw: pd.DataFrame, ratio: float, random_state: int = 42
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Raw rows -> (train, test), shuffled, `ratio` of the rows in test, index as in `raw`."""
    labels = binarise(raw[RAW_LABEL])
    features = raw.drop(columns=[RAW_LABEL, *DROPPED], errors="ignore")
    numbers = [name for name in features.columns if name not in CATEGORIES]
    train, test = train_test_split(
        features, test_size=ratio, random_state=random_state, stratify=labels
    )
    columns = transformer(numbers).fit(train)
    return labelled(columns.transform(train), labels), labelled(columns.transform(test), labels)


def save(table: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False)
    print(
        f"{path}: {len(table)} rows, {table.shape[1] - 1} features, "
        f"{table[LABEL].mean():.1%} churned",
        flush=True,
    )


def run(
    ratio: float,
    random_state: int = 42,
    source: Path = INPUT,
    train: Path = TRAIN,
    test: Path = TEST,
) -> None:
    """The whole step, from file to files."""
    raw = read(source)
    print(f"{source}: {len(raw)} rows, {raw.shape[1]} columns", flush=True)
    for table, path in zip(preprocess(raw, ratio, random_state), (train, test), strict=True):
        save(table, path)


def share(text: str) -> float:
    """Argument type: a number between 0 and 1, both excluded."""
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train-test-split-ratio", type=share, default=0.2, help="share of test")
    parser.add_argument("--random-state", type=int, default=42, help="seed of the shuffle")
    arguments = parser.parse_args(argv)
    run(arguments.train_test_split_ratio, arguments.random_state)


if __name__ == "__main__":
    main()
