"""Step 3's script on the real data: the label stays with its row, the test rows teach nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def parts(preprocessing, raw):
    return preprocessing.preprocess(raw, 0.2)


def test_every_label_is_its_own_rows(parts, raw):
    """Recomputed from the raw row, for every row. (The classic script inserts by position.)"""
    for table in parts:
        expected = (raw.loc[table.index, "Churn?"] == "True.").astype(int)
        assert table["churn"].tolist() == expected.tolist()


def test_rows_can_be_told_apart_so_alignment_is_tested_on_files_too(
    preprocessing, raw_file, tmp_path
):
    """From file to file: no index there, so rows are found again by their numbers."""
    train, test = tmp_path / "train" / "train.csv", tmp_path / "test" / "test.csv"
    preprocessing.run(0.2, source=raw_file, train=train, test=test)
    raw = pd.read_csv(raw_file)
    key = ["Account Length", "Day Mins", "Eve Mins", "Night Mins", "Intl Mins"]
    assert not raw.duplicated(key).any()
    label = raw.set_index(key)["Churn?"]
    for file in (train, test):
        table = pd.read_csv(file)
        found = label.loc[list(table[key].itertuples(index=False, name=None))]
        assert (found == "True.").astype(int).tolist() == table["churn"].tolist()


def test_position_would_have_been_wrong(parts, raw):
    """Guards the test above: the rows really are in another order than the raw labels."""
    train = parts[0]
    by_position = (raw["Churn?"].iloc[: len(train)] == "True.").astype(int)
    assert by_position.tolist() != train["churn"].tolist()


def test_header_and_shape(parts):
    train, test = parts
    assert (len(train), len(test)) == (2666, 667)
    assert train.columns[0] == "churn"
    assert list(train.columns) == list(test.columns)
    # 15 numbers, 51 states, 3 area codes, 2 + 2 plans
    assert train.shape[1] - 1 == 15 + 51 + 3 + 2 + 2
    assert {"Day Mins", "State_KS", "Area Code_415", "Int'l Plan_yes"} <= set(train.columns)


@pytest.mark.parametrize(("ratio", "rows"), [(0.1, 334), (0.2, 667), (0.5, 1667)])
def test_the_ratio_is_the_share_of_test_rows(preprocessing, raw, ratio, rows):
    train, test = preprocessing.preprocess(raw, ratio)
    assert (len(train), len(test)) == (3333 - rows, rows)
    assert train.index.intersection(test.index).empty


def test_the_label_is_not_among_the_features(parts):
    """Neither by name nor by value: no feature equals the label, or its opposite."""
    train = parts[0]
    features = train.drop(columns="churn")
    assert not [name for name in features if "churn" in name.lower()]
    correlation = features.corrwith(train["churn"]).abs()
    assert correlation.max() < 0.5


def test_both_labels_keep_their_share(parts):
    for table in parts:
        assert table["churn"].mean() == pytest.approx(483 / 3333, abs=0.001)


def test_gaps_in_numbers_become_the_median_of_the_training_rows(preprocessing, raw):
    rows = preprocessing.preprocess(raw, 0.2)
    gap_train, gap_test = rows[0].index[0], rows[1].index[0]
    raw["Day Mins"] = raw["Day Mins"].astype(float)
    raw.loc[[gap_train, gap_test], "Day Mins"] = np.nan
    train, test = preprocessing.preprocess(raw, 0.2)
    median = raw.loc[train.index, "Day Mins"].median()
    assert train.loc[gap_train, "Day Mins"] == median
    assert test.loc[gap_test, "Day Mins"] == median
    assert median != raw["Day Mins"].median()


def test_gaps_in_categories_become_a_category(preprocessing, raw):
    raw.loc[:99, "Area Code"] = np.nan
    train, _ = preprocessing.preprocess(raw, 0.2)
    gaps = raw.loc[train.index, "Area Code"].isna()
    assert train["Area Code_missing"].tolist() == gaps.astype(int).tolist()


def test_a_category_that_training_never_saw_is_no_error_and_no_column(preprocessing, raw):
    _, test = preprocessing.preprocess(raw, 0.2)
    raw.loc[test.index[0], "State"] = "XX"
    train, test = preprocessing.preprocess(raw, 0.2)
    assert "State_XX" not in train.columns
    states = [name for name in test.columns if name.startswith("State_")]
    assert test.loc[test.index[0], states].sum() == 0


def test_the_public_files_phone_number_is_dropped(preprocessing, raw):
    raw["Phone"] = [f"382-{number:04d}" for number in range(len(raw))]
    train, _ = preprocessing.preprocess(raw, 0.2)
    assert train.shape[1] - 1 == 73


def test_an_unknown_label_names_value_and_row(preprocessing, raw):
    raw.loc[41, "Churn?"] = "maybe"
    with pytest.raises(ValueError, match=r"1 labels .*'maybe' in data row 42"):
        preprocessing.preprocess(raw, 0.2)


def test_a_missing_column_is_named(preprocessing, tmp_path):
    (tmp_path / "raw.csv").write_text("State,Area Code\nKS,415\n")
    with pytest.raises(ValueError, match=r"lacks the columns .*Churn\?"):
        preprocessing.read(tmp_path / "raw.csv")


@pytest.mark.parametrize("text", ["0", "1", "-0.2", "20"])
def test_a_ratio_outside_0_to_1_is_refused(preprocessing, text, capsys):
    with pytest.raises(SystemExit):
        preprocessing.main(["--train-test-split-ratio", text])
    assert f"{text} is not between 0 and 1" in capsys.readouterr().err


def test_the_same_seed_gives_the_same_files(preprocessing, raw_file, tmp_path):
    for name in ("a", "b"):
        folder = tmp_path / name
        preprocessing.run(0.2, 7, raw_file, folder / "train.csv", folder / "test.csv")
    assert (tmp_path / "a/train.csv").read_bytes() == (tmp_path / "b/train.csv").read_bytes()
