"""Filters and joins of batch transform (E9, E14, E15)."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagedock import requests
from sagedock.errors import InputError
from sagedock.local.transform.jsonpath import compiled
from sagedock.local.transform.processing import Processing, problems

VALUE = {"id": 7, "tags": ["a", "b", "c"], "deep": [{"x": 1, "y": 2}, {"x": 3, "y": 4}]}
FIELD = st.text("abc 1.", max_size=5) | st.just('"a,""b"""')
TABLE = st.lists(st.lists(FIELD, min_size=3, max_size=3), min_size=1, max_size=9)


def request(media: str, split: str = "Line", **asked: str) -> dict[str, Any]:
    return requests.transform_request(
        job_name="j", model_name="m", data_uri="s3://b/in", output_uri="s3://b/out",
        instance_type="ml.m5.large", content_type=media, accept=media, split_type=split,
        assemble_with=split, processing=asked,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$", VALUE),
        ("$.id", 7),
        ("$['id']", 7),
        ("$.['id','tags']", {"id": 7, "tags": ["a", "b", "c"]}),
        ("$.tags[0]", "a"),
        ("$.tags[0,-1]", ["a", "c"]),
        ("$.tags[1:]", ["b", "c"]),
        ("$.tags[-2:-1]", ["b"]),
        ("$.tags.*", ["a", "b", "c"]),
        ("$.deep[*].x", [1, 3]),
        ("$.deep[1]['x','y']", {"x": 3, "y": 4}),
    ],
)
def test_paths_select(path: str, expected: object) -> None:
    assert compiled(path)(VALUE) == expected


@pytest.mark.parametrize("path", ["", "id", "$..id", "$[?(@.x>1)]", "$.tags[", "$.a b", "$[]"])
def test_paths_outside_of_the_subset_are_refused(path: str) -> None:
    with pytest.raises(InputError, match="is not known"):
        compiled(path)


@pytest.mark.parametrize("path", ["$.none", "$.tags[3]", "$.id[0]", "$.id.x", "$[1:]"])
def test_what_is_not_there_is_told(path: str) -> None:
    with pytest.raises(InputError, match="JSONPath"):
        compiled(path)(VALUE)


@given(TABLE)
def test_csv_fields_arrive_as_they_were_written(table: list[list[str]]) -> None:
    body = "\n".join(f"{n},{','.join(row)}" for n, row in enumerate(table)).encode()
    whole = Processing(request("text/csv", InputFilter="$[0:]", OutputFilter="$[:]"))
    assert whole.before(body) == body
    assert whole.after(body, body) == body
    some = Processing(request("text/csv", InputFilter="$[0,-1]"))
    assert some.before(body).decode().split("\n") == [f"{n},{r[-1]}" for n, r in enumerate(table)]


def test_a_csv_join_appends_columns_and_is_filtered() -> None:
    """The documentation's example: an id kept from the model, its answer beside it."""
    job = Processing(
        request("text/csv", InputFilter="$[1:]", JoinSource="Input", OutputFilter="$[0,-1]")
    )
    body = b"id1,1,2\r\nid2,3,4"
    assert job.before(body) == b"1,2\n3,4"
    assert job.after(body, b"0.1\n0.9\n") == b"id1,0.1\nid2,0.9"


def test_json_joins_name_input_and_output() -> None:
    """E15."""
    job = Processing(request("application/jsonlines", JoinSource="Input"))
    rows = job.after(b'{"id":1}\n[2,"x"]\n["y"]', b'{"score":0.5}\n0.7\n["z"]').split(b"\n")
    assert [json.loads(row) for row in rows] == [
        {"id": 1, "SageMakerOutput": {"score": 0.5}},
        {"SageMakerInput": [2, "x"], "SageMakerOutput": 0.7},
        {"SageMakerInput": ["y"], "SageMakerOutput": ["z"]},
    ]


def test_json_without_a_split_is_one_record() -> None:
    asked = {"InputFilter": "$.features", "JoinSource": "Input", "OutputFilter": "$['id']"}
    job = Processing(request("application/json", "None", **asked))
    body = b'{\n "id": "\xc3\xa4",\n "features": [1, 2]\n}'
    assert job.before(body) == b"[1,2]"
    assert job.after(body, b"3") == '"ä"'.encode()


@pytest.mark.parametrize("answer", [b"1", b"1\n2\n3", b""])
def test_a_join_needs_one_answer_for_each_record(answer: bytes) -> None:
    job = Processing(request("text/csv", JoinSource="Input"))
    with pytest.raises(InputError, match=r"answers to 2 records.*E9"):
        job.after(b"a\nb", answer)


def test_what_is_no_json_is_told() -> None:
    job = Processing(request("application/jsonlines", InputFilter="$.a"))
    with pytest.raises(InputError, match="input record 2 of a payload is not JSON"):
        job.before(b'{"a":1}\noops')
    with pytest.raises(InputError, match="no UTF-8"):
        job.before(b"\xff")


def test_rules_of_joins() -> None:
    """E14."""
    good = request("text/csv", JoinSource="Input")
    assert list(problems(good)) == []
    good["TransformOutput"].pop("AssembleWith")
    good["TransformOutput"]["Accept"] = "application/json"
    assert len(list(problems(good))) == 2
    assert list(problems(request("text/csv"))) == []
    framed = request("text/csv", "RecordIO", InputFilter="$[0]")
    assert ["SplitType RecordIO" in text for text in problems(framed)] == [True]
