"""What a Predictor sends and makes of answers, by content type."""

import numpy
import pytest

from sagedock.errors import ModelError, UsageError
from sagedock.launch.predictor import CSV, JSON, NPY, deserialize, serialize


@pytest.mark.parametrize(
    ("data", "content_type", "body"),
    [
        (b"\x00", CSV, b"\x00"),
        ("1,2", CSV, b"1,2"),
        ([1, 2.5], CSV, b"1,2.5\n"),
        ([[1, "a,b"], [3, None]], CSV, b'1,"a,b"\n3,\n'),
        (numpy.array([[1, 2], [3, 4]]), CSV, b"1,2\n3,4\n"),
        ({"a": [1]}, JSON, b'{"a": [1]}'),
        (numpy.array([1, 2]), JSON, b"[1, 2]"),
        ("text", "text/plain", b"text"),
    ],
)
def test_data_is_sent_in_the_form_of_its_type(data, content_type, body):
    assert serialize(data, content_type) == body


def test_arrays_go_there_and_back():
    sent = serialize([[1.5, 2]], NPY)
    assert deserialize(sent, NPY).tolist() == [[1.5, 2.0]]


def test_data_without_a_form_is_refused():
    with pytest.raises(UsageError, match="dict can't be sent as text/plain"):
        serialize({}, "text/plain")


def test_answers_are_read_by_their_type():
    assert deserialize(b'{"a": 1}', "application/json; charset=utf-8") == {"a": 1}
    assert deserialize(b"1,2\n3,4\n", CSV) == [["1", "2"], ["3", "4"]]
    assert deserialize(b"\xff", "x/y") == b"\xff"
    with pytest.raises(ModelError, match="it begins 'oops'"):
        deserialize(b"oops", JSON)
