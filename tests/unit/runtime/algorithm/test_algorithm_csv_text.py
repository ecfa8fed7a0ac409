"""What is told of CSV from its text: delimiter, header, first fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from sagedock.errors import TrainingError
from sagedock.runtime.algorithm import csv_text
from sagedock.runtime.algorithm.csv_text import Layout

PATH = Path("a.csv")
THREE = Layout(delimiter=",", columns=3)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("1,2,3", ","),
        ("1\t2", "\t"),
        ("1;2,5;3,5;4", ";"),
        ("1|2", "|"),
        ("1 2 3", " "),
        ("1, 2, 3", ","),
        ("a name,b name", ","),
        ("17", None),
    ],
)
def test_delimiter(line: str, expected: str | None):
    assert csv_text.delimiter_of(line) == expected


@pytest.mark.parametrize(
    "lines",
    [
        ["churn,day mins,plan", "0,1.5,2"],
        ["churn,day mins,plan", "0,,2"],
        ["churn,day mins,plan"],
        ["0,x,2", "0,1,2"],
        ['"churn","day mins"', "1,2"],
    ],
)
def test_header_is_refused_with_its_first_cells(lines: list[str]):
    with pytest.raises(TrainingError) as caught:
        csv_text.layout_of(PATH, lines)
    message = str(caught.value)
    assert "a.csv has a header in line 1 (" in message
    assert "header=False, index=False" in message
    assert repr(lines[0].split(",")[1].strip('"')) in message


@pytest.mark.parametrize(
    "lines", [["0,1,2"], ["yes,1,2", "no,3,4"], [",1,2", "1,2,3"], ["0,a,1", "1,b,2"]]
)
def test_rows_are_no_header(lines: list[str]):
    assert csv_text.layout_of(PATH, lines).columns == 3


def test_numbered_header():
    assert csv_text.numbered_header(["0", "1", "2", "3"])
    assert not csv_text.numbered_header(["0", "1", "2", "4"])
    assert not csv_text.numbered_header(["0", "1", "2"])


def test_single_column():
    with pytest.raises(TrainingError, match="has a single column"):
        csv_text.layout_of(PATH, ["17", "18"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,2,3\n1,2\n", "a.csv, line 2 has 2 columns where line 1 has 3."),
        ("1,2,3\n\n1,2,3,4\n", "a.csv, line 3 has 4 columns where line 1 has 3."),
        ("yes,2,3\n", "a.csv, line 1, column 1 (the label): the label 'yes' is not a number."),
        ("1,2,3\n1,abc,3\n", "a.csv, line 2, column 2: the value 'abc' is not a number."),
        ("1,True,3\n", "Write 1 and 0: DataFrame.astype(int), or get_dummies(…, dtype=int)."),
        ("1,NA,3\n", "Write a missing value as an empty field"),
        ("1,inf,3\n", "column 2: the value 'inf' is infinite."),
        ("1,1e39,3\n", "column 2: the value '1e39' is infinite."),
        ('1,"2,5",3\n', "Write decimals with a point"),
        ("1,1_000,3\n", "the value '1_000' is not a number"),
        ("1,0x1F,3\n", "the value '0x1F' is not a number"),
    ],
)
def test_first_fault(text: str, expected: str):
    assert expected in str(csv_text.fault(PATH, text, THREE, 1))


def test_line_numbers_count_from_the_block():
    assert "a.csv, line 101, column 1" in str(csv_text.fault(PATH, "1,2,3\nx,2,3\n", THREE, 100))
