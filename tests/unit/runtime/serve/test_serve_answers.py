"""Predictions to bytes, the negotiation of their type, and selectable inference (H5.6, H5.8)."""

import io
import json
import math

import numpy as np
import pytest

from sagedock.runtime.serve import answers, selectable
from sagedock.runtime.serve.bodies import CSV, JSON, JSONLINES, NPY, RECORDIO
from sagedock.runtime.serve.problems import Refusal, ServingError

SCORES = np.float32([0.1, 1e-7, 3])
CLASSES = np.float32([[0.25, 0.75], [1, 0]])


def test_csv_has_one_line_a_row_that_reads_back_exactly_and_no_last_break():
    body = answers.encode(SCORES, CSV)
    assert not body.endswith(b"\n")
    np.testing.assert_array_equal(np.float32(body.decode().split("\n")), SCORES)
    assert answers.encode(CLASSES, CSV) == b"0.25,0.75\n1.0,0.0"


def test_csv_of_labels_and_of_what_isnt_finite():
    assert answers.encode(np.array(["no", 'a,"b"']), CSV) == b'no\n"a,""b"""'
    assert answers.encode(np.array([1, 2]), CSV) == b"1\n2"
    assert answers.encode(np.float32([np.nan, 1]), CSV) == b"nan\n1.0"


def test_json_and_lines():
    document = json.loads(answers.encode(SCORES, JSON))
    assert document == {"predictions": [{"score": float(s)} for s in SCORES]}
    lines = answers.encode(CLASSES, JSONLINES).split(b"\n")
    assert [json.loads(line) for line in lines] == [{"score": [0.25, 0.75]}, {"score": [1, 0]}]


def test_npy_and_records():
    found = np.load(io.BytesIO(answers.encode(SCORES, NPY)))
    np.testing.assert_array_equal(found, SCORES)
    assert found.dtype == np.float32
    assert answers.encode(SCORES, RECORDIO).count(b"score") == 3


@pytest.mark.parametrize(
    ("accept", "default", "expected"),
    [
        ("", "", CSV),
        ("*/*", "", CSV),
        ("*/*", JSON, JSON),
        ("", JSONLINES, JSONLINES),
        ("application/json", "", JSON),
        ("text/html, application/json;q=0.9, */*;q=0.1", "", JSON),
        ("application/json;q=0.1, text/csv;q=0.8", "", CSV),
        ("APPLICATION/JSONLINES; charset=utf-8", "", JSONLINES),
        ("application/x-npy", JSON, NPY),
    ],
)
def test_negotiation(accept, default, expected):
    assert answers.negotiate(accept, default) == expected


@pytest.mark.parametrize("accept", ["image/png", "text/csv;q=0", "application/xml, text/html"])
def test_what_cant_be_answered_is_406(accept):
    with pytest.raises(Refusal) as caught:
        answers.negotiate(accept, "")
    assert caught.value.status == 406
    assert CSV in caught.value.message


def test_selected_outputs_of_a_binary_model():
    keys = ("predicted_label", "probability", "probabilities", "labels", "predicted_score")
    value = np.float32([0.25])
    (row,) = selectable.select(keys, "binary:logistic", value, value)
    assert list(row) == list(keys)
    assert row | {"predicted_score": 0} == {
        "predicted_label": 0, "probability": 0.25, "probabilities": [0.75, 0.25],
        "labels": [0, 1], "predicted_score": 0,
    }  # fmt: skip
    assert math.isnan(row["predicted_score"])
    assert answers.dictionaries([row], CSV) == b'0,0.25,"[0.75, 0.25]","[0, 1]",nan'
    assert (
        json.loads(answers.dictionaries([row], JSON))["predictions"][0]["predicted_score"] is None
    )


@pytest.mark.parametrize(
    ("objective", "value", "margin", "expected"),
    [
        ("multi:softprob", [[0.25, 0.5, 0.25]], None, {"predicted_label": 1, "raw_score": 0.5}),
        ("multi:softmax", [2.0], [[1.0, 2.0, 4.0]], {"predicted_label": 2, "raw_score": 4.0}),
        ("binary:logitraw", [-0.5], None, {"predicted_label": 0, "raw_score": -0.5}),
        ("binary:hinge", [1.0], None, {"predicted_label": 1, "raw_score": 1.0}),
    ],
)
def test_selected_outputs_by_objective(objective, value, margin, expected):
    values = np.float32(value)
    margins = values if margin is None else np.float32(margin)
    keys = ("predicted_label", "raw_score")
    assert selectable.select(keys, objective, values, margins) == [expected]


def test_an_objective_without_selectable_outputs_is_told_at_the_start():
    selectable.check((), "rank:ndcg")
    selectable.check(("predicted_score",), "reg:squarederror")
    with pytest.raises(ServingError, match="rank:ndcg"):
        selectable.check(("predicted_score",), "rank:ndcg")
