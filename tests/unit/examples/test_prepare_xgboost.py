"""The second processing step gives the public notebook's three files."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def files(prepare, raw_file, tmp_path):
    prepare.run(raw_file, tmp_path)
    names = ("train", "validation", "test")
    return {name: pd.read_csv(tmp_path / name / f"{name}.csv", header=None) for name in names}


def test_rows_and_features(files):
    assert {name: table.shape for name, table in files.items()} == {
        "train": (2333, 70),
        "validation": (666, 70),
        "test": (334, 70),
    }


def test_no_header_and_only_numbers(files):
    for table in files.values():
        assert all(np.issubdtype(kind, np.number) for kind in table.dtypes)


def test_the_label_is_the_first_column_and_belongs_to_its_row(files, raw_file):
    raw = pd.read_csv(raw_file).sample(frac=1, random_state=1729)
    whole = pd.concat(files.values(), ignore_index=True)
    assert whole[0].tolist() == (raw["Churn?"] == "True.").astype(int).tolist()
    # Columns 1 and 3 are Account Length and Day Mins: the rows are those of the raw file.
    assert whole[1].tolist() == raw["Account Length"].tolist()
    assert whole[3].tolist() == raw["Day Mins"].tolist()


def test_the_area_code_must_be_a_category_for_69_features(prepare, raw_file):
    raw = pd.read_csv(raw_file)
    table = prepare.encode(raw)
    codes = [name for name in table.columns if name.startswith("Area Code")]
    assert codes == ["Area Code_408", "Area Code_415", "Area Code_510"]
    assert table.shape[1] - 1 == 69
    assert table.shape[1] - 1 - len(codes) + 1 == 67  # as one number


def test_charges_phone_and_raw_label_are_gone(prepare, raw_file):
    raw = pd.read_csv(raw_file)
    raw["Phone"] = "382-4657"
    columns = list(prepare.encode(raw).columns)
    assert columns[0] == "churn"
    assert not [name for name in columns[1:] if "Charge" in name or "Phone" in name]
    assert not [name for name in columns[1:] if "churn" in name.lower()]


def test_unknown_labels_are_refused(prepare, raw_file):
    raw = pd.read_csv(raw_file)
    raw.loc[3, "Churn?"] = "maybe"
    with pytest.raises(ValueError, match="'maybe'"):
        prepare.encode(raw)
