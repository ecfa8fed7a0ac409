"""Filters and joins of batch transform (E9, E14, E15)."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagedock import requests
from sagedock.errors import InputError, ValidationError
from sagedock.local.transform.processing import Processing, check_paths

FIELD = st.text("abc 1.", max_size=5) | st.just('"a,""b"""')
TABLE = st.lists(st.lists(FIELD, min_size=3, max_size=3), min_size=1, max_size=9)


def request(media: str, split: str = "Line", **asked: str) -> dict[str, Any]:
    return requests.transform_request(
        job_name="j", model_name="m", data_uri="s3://b/in", output_uri="s3://b/out",
        instance_type="ml.m5.large", content_type=media, accept=media, split_type=split,
        assemble_with=split, processing=asked,
    )  # fmt: skip


@given(TABLE)
def test_csv_fields_arrive_as_they_were_written(table: list[list[str]]) -> None:
    body = "\n".join(f"{n},{','.join(row)}" for n, row in enumerate(table)).encode()
    whole = Processing(request("text/csv", InputFilter="$[0:]", OutputFilter="$[:]"))
    assert whole.before(body)[0] == body
    assert whole.after(body, body) == body
    some = Processing(request("text/csv", InputFilter="$[0,-1]"))
    assert some.before(body)[0].decode().split("\n") == [
        f"{n},{r[-1]}" for n, r in enumerate(table)
    ]


def test_a_csv_join_appends_columns_and_is_filtered() -> None:
    """The documentation's example: an id kept from the model, its answer beside it."""
    job = Processing(
        request("text/csv", InputFilter="$[1:]", JoinSource="Input", OutputFilter="$[0,-1]")
    )
    body = b"id1,1,2\r\nid2,3,4"
    assert job.before(body)[0] == b"1,2\n3,4"
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
    assert job.before(body)[0] == b"[1,2]"
    assert job.after(body, b"3") == '"ä"'.encode()


@pytest.mark.parametrize("answer", [b"1", b"1\n2\n3", b""])
def test_a_join_needs_one_answer_for_each_record(answer: bytes) -> None:
    job = Processing(request("text/csv", JoinSource="Input"))
    with pytest.raises(InputError, match=r"mismatched line count .*: 2 records, \d answers .E9"):
        job.after(b"a\nb", answer)


def test_what_is_no_json_is_told() -> None:
    job = Processing(request("application/jsonlines", InputFilter="$.a"))
    with pytest.raises(
        InputError, match=r"Failed to parse input as JSON: record 2 of a payload: .* 'oops'"
    ):
        job.before(b'{"a":1}\noops')
    with pytest.raises(InputError, match="no UTF-8"):
        job.before(b"\xff")


def wrong(document: dict[str, Any]) -> str:
    """What CreateTransformJob is refused for."""
    with pytest.raises(ValidationError) as caught:
        requests.validate("CreateTransformJob", document)
    return caught.value.message


def test_rules_of_joins() -> None:
    """E14: each is refused before anything is started."""
    good = request("text/csv", JoinSource="Input")
    requests.validate("CreateTransformJob", good)
    requests.validate("CreateTransformJob", request("text/csv"))
    good["TransformOutput"].pop("AssembleWith")
    good["TransformOutput"]["Accept"] = "application/json"
    assert "Accept and ContentType to match: 'application/json', 'text/csv'" in wrong(good)
    assert "AssembleWith and SplitType to match: None, Line" in wrong(good)
    assert "SplitType Line or None: it is RecordIO" in wrong(
        request("text/csv", "RecordIO", InputFilter="$[0]")
    )
    assert "needs SplitType Line: a record is a line" in wrong(
        request("text/csv", "None", InputFilter="$[0]")
    )
    nothing = request("text/csv", InputFilter="$[0]")
    del nothing["TransformInput"]["ContentType"]
    assert "ContentType to be text/csv, application/json or application/jsonlines: none" in wrong(
        nothing
    )
    assert "it is 'image/png'" in wrong(request("image/png", JoinSource="Input"))


def test_too_much_in_flight_is_refused() -> None:
    """E5, and that a strategy needs a split (E7)."""
    document = request("text/csv") | {"MaxConcurrentTransforms": 20, "MaxPayloadInMB": 6}
    assert "(MaxConcurrentTransforms * MaxPayloadInMB) cannot exceed 100 MB: 20 * 6 MB" in wrong(
        document
    )
    requests.validate("CreateTransformJob", document | {"MaxPayloadInMB": 5})
    requests.validate("CreateTransformJob", document | {"MaxPayloadInMB": 0})
    assert "BatchStrategy MultiRecord needs a SplitType" in wrong(
        request("text/csv", "None") | {"BatchStrategy": "MultiRecord"}
    )


@pytest.mark.parametrize(
    ("media", "path", "word"),
    [
        ("text/csv", "$.id", "a CSV row has no names"),
        ("text/csv", "$[0][1]", "nothing below its fields"),
        ("text/csv", "$..x", "none of the operators"),
        ("application/jsonlines", "$[?(@.x>1)]", "InputFilter: JSONPath"),
        ("application/jsonlines", "id", "it must begin with"),
    ],
)
def test_paths_are_read_before_anything_is_started(media: str, path: str, word: str) -> None:
    with pytest.raises(ValidationError, match=word):
        check_paths(request(media, InputFilter=path))
    check_paths(request(media, InputFilter="$[0]", OutputFilter="$"))
