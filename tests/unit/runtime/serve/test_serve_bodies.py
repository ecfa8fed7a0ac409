"""Every content type to a table of float32, and what is said of a body that isn't one."""

import io
import struct

import numpy as np
import pytest

from sagedock.runtime.serve import recordio
from sagedock.runtime.serve.bodies import JSON, JSONLINES, LIBSVM, NPY, RECORDIO, Bodies, kind_of
from sagedock.runtime.serve.problems import Refusal

TABLE = np.float32([[1, 2.5], [3, np.nan]])


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=array.dtype == object)
    return buffer.getvalue()


def field(number, data):
    return bytes([number << 3 | 2, len(data)]) + data


def dense_record(values, tensor=2, dtype="<f4"):
    packed = field(1, np.array(values).astype(dtype).tobytes())
    return recordio.frame(field(1, field(1, b"values") + field(2, field(tensor, packed))))


def sparse_record(values, keys, width):
    tensor = (
        field(1, np.float32(values).tobytes()) + field(2, bytes(keys)) + field(3, bytes([width]))
    )
    return recordio.frame(field(1, field(1, b"values") + field(2, field(2, tensor))))


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (JSON, b"[[1, 2.5], [3, null]]"),
        (JSON, b'{"instances": [[1, 2.5], [3, null]]}'),
        (JSON, b'{"instances": [{"features": [1, 2.5]}, {"features": [3, null]}]}'),
        (JSON, b'[["1", "2.5"], ["3", ""]]'),
        (JSONLINES, b'[1, 2.5]\n{"features": [3, null]}\n'),
        (JSONLINES, b'{"data": {"features": {"values": [1, 2.5]}}}\n\n[3, null]'),
        (NPY, npy(TABLE)),
        (NPY, npy(TABLE.astype(np.float64))),
        (LIBSVM, b"0:1 1:2.5\n0:3"),
        (LIBSVM, b"1 0:1 1:2.5\n0 0:3\n"),
        (LIBSVM, b"0.5:2 0:1 1:2.5 # note\n0 qid:1 0:3"),
        (RECORDIO, dense_record([1, 2.5]) + dense_record([3, np.nan])),
        (RECORDIO, dense_record([1, 2.5], 3, "<f8") + sparse_record([3], [0], 2)),
    ],
)  # fmt: skip
def test_a_table(kind, body):
    found = Bodies(2).table(body, kind)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, TABLE)


@pytest.mark.parametrize("body", [b'{"features": [1, 2]}', b"[1, 2]"])
def test_one_row_of_json(body):
    assert Bodies(2).table(body, JSON).tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        (JSON, b"", "no body"),
        (JSON, b"{", "not valid JSON"),
        (JSON, b"3", "JSON int"),
        (JSON, b"[]", "no row"),
        (JSON, b"[[1, 2], [3]]", "Row 2 has 1 columns"),
        (JSON, b"[[1, 2, 3]]", "the model takes 2"),
        (JSON, b'[[1, "x"]]', "Row 1, column 2: 'x' is not a number"),
        (JSON, b"[[1, [2]]]", "Row 1, column 2 holds a list"),
        (JSON, b'{"rows": []}', "Row 1 must be a list"),
        (JSONLINES, b"[1, 2]\n{", "Line 2 is not valid JSON"),
        (NPY, b"x", "not an array"),
        (NPY, npy(np.zeros((1, 2, 2))), "3 dimensions"),
        (NPY, npy(np.array(["a"])), "not numbers"),
        (NPY, npy(np.array([{}])), "not an array"),
        (NPY, npy(np.zeros((0, 2))), "no row"),
        (LIBSVM, b"1 0:1 2:1", "index 2 is beyond the model's 2 features"),
        (LIBSVM, b"1 0:1 x:1", "'x:1' is not index:value"),
        (LIBSVM, b"1 0:a", "'a' is not a number"),
        (RECORDIO, b"garbage", "RecordIO"),
        (RECORDIO, struct.pack("<II", 0xCED7230A, 99), "RecordIO"),
        (RECORDIO, recordio.frame(b"\xff\xff"), "Record 1 is not a SageMaker Record"),
        (RECORDIO, dense_record([1]), "the model takes 2"),
    ],
)
def test_refusals(kind, body, words):
    with pytest.raises(Refusal) as caught:
        Bodies(2).table(body, kind)
    assert caught.value.status == 400
    assert words in caught.value.message


def test_one_row_means_the_same_in_any_company():
    # H5.7: the built-in container shifts indices by what else is in the payload
    alone = Bodies(3).table(b"1:5 2:6", LIBSVM)[0]
    np.testing.assert_array_equal(alone, Bodies(3).table(b"0:1\n1:5 2:6", LIBSVM)[1])


def test_wide_rows_stay_sparse():
    table = Bodies(1 << 23).table(b"0:1\n3:2\n8388607:7", LIBSVM)
    assert (table.nnz, table.shape, table[2, 8388607]) == (3, (3, 1 << 23), 7)


def test_the_kinds_and_what_isnt_one():
    assert kind_of("text/csv; charset=utf-8; label_size=0") == kind_of("") == kind_of("csv")
    assert kind_of("TEXT/LIBSVM") == LIBSVM
    with pytest.raises(Refusal) as caught:
        kind_of("application/x-parquet")
    assert caught.value.status == 415
    assert "text/csv" in caught.value.facts["supported"]


def test_a_score_record_can_be_read_by_its_wire_format():
    (message,) = recordio.records(recordio.score_record(np.float32(0.5)))
    assert message.endswith(np.float32(0.5).tobytes())
    assert b"score" in message
