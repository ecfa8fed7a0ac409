"""SDK v2's serializers, deserializers and iterators, and a Predictor that uses them."""

import io
import subprocess
import sys

import numpy
import pandas
import pytest
import scipy.sparse

from sagedock.errors import ModelError, UsageError
from sagedock.launch.deserializers import (
    BytesDeserializer,
    CSVDeserializer,
    JSONDeserializer,
    JSONLinesDeserializer,
    NumpyDeserializer,
    PandasDeserializer,
    StreamDeserializer,
    StringDeserializer,
)
from sagedock.launch.iterators import LineIterator
from sagedock.launch.predictor import Predictor
from sagedock.launch.serializers import (
    CSVSerializer,
    DataSerializer,
    IdentitySerializer,
    JSONLinesSerializer,
    JSONSerializer,
    LibSVMSerializer,
    NumpySerializer,
    SparseMatrixSerializer,
    StringSerializer,
)
from sagedock.launch.session import Session


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ([1, 2.5], "1,2.5"),
        ([[1, 2], [3, None]], "1,2\n3,"),
        ((1, "a,b"), '1,"a,b"'),
        (numpy.array([1, 2]), "1,2"),
        (numpy.array([[1, 2], [3, 4]]), "1,2\n3,4"),
        ([numpy.array([[1], [2]])], "1,2"),
        ("1,2", "1,2"),
        (["1,2", "3,4"], "1,2\n3,4"),
        (io.StringIO("1,2\n"), "1,2\n"),
        (pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]}), "1,x\n2,y\n"),
    ],
)
def test_csv(data, text):
    assert CSVSerializer().serialize(data) == text


@pytest.mark.parametrize("data", [[], numpy.array([]), 7, [[1], []]])
def test_csv_of_nothing_is_refused(data):
    with pytest.raises(UsageError):
        CSVSerializer().serialize(data)


def test_numpy_there_and_back():
    sent = NumpySerializer(dtype="float32").serialize([[1, 2]])
    back = NumpyDeserializer().deserialize(io.BytesIO(sent), "application/x-npy")
    assert (back.tolist(), str(back.dtype)) == ([[1.0, 2.0]], "float32")
    assert NumpySerializer().serialize(io.BytesIO(sent)) == sent
    with pytest.raises(UsageError, match="empty array"):
        NumpySerializer().serialize([])


def test_numpy_unpickles_only_when_it_is_told_to():
    sent = NumpySerializer().serialize(numpy.array([{"a": 1}], dtype=object))
    with pytest.raises(ModelError, match="NumpyDeserializer can't read it"):
        NumpyDeserializer().deserialize(io.BytesIO(sent), "application/x-npy")
    back = NumpyDeserializer(allow_pickle=True).deserialize(io.BytesIO(sent), "application/x-npy")
    assert back[0] == {"a": 1}


@pytest.mark.parametrize(
    ("serializer", "data", "body"),
    [
        (JSONSerializer(), {"a": numpy.array([1]), "b": numpy.float64(2)}, '{"a": [1], "b": 2.0}'),
        (JSONSerializer(), numpy.array([[1]]), "[[1]]"),
        (JSONSerializer(), io.StringIO("{}"), "{}"),
        (JSONLinesSerializer(), [{"a": 1}, 2], '{"a": 1}\n2'),
        (JSONLinesSerializer(), "{}\n", "{}\n"),
        (LibSVMSerializer(), "1 1:2", "1 1:2"),
        (LibSVMSerializer(), io.StringIO("1 1:2"), "1 1:2"),
        (IdentitySerializer(), b"\xff", b"\xff"),
        (StringSerializer(), "ü", "ü".encode()),
        (DataSerializer(), b"1", b"1"),
        (DataSerializer(), {"data": b"1"}, b"1"),
    ],
)  # fmt: skip
def test_other_forms(serializer, data, body):
    assert serializer.serialize(data) == body


@pytest.mark.parametrize(
    ("serializer", "data"),
    [
        (JSONSerializer(), {1, 2}),
        (JSONLinesSerializer(), 7),
        (LibSVMSerializer(), [1]),
        (StringSerializer(), 7),
        (DataSerializer(), 7),
        (DataSerializer(), "/no/such/file"),
    ],
)
def test_what_has_no_form_is_refused(serializer, data):
    with pytest.raises(UsageError):
        serializer.serialize(data)


def test_files_and_sparse_matrices(tmp_path):
    (tmp_path / "image").write_bytes(b"\x89")
    assert DataSerializer().serialize(str(tmp_path / "image")) == b"\x89"
    sent = SparseMatrixSerializer().serialize(scipy.sparse.csr_matrix([[0, 1]]))
    assert scipy.sparse.load_npz(io.BytesIO(sent)).toarray().tolist() == [[0, 1]]


def test_content_types_are_the_sdks_and_may_be_others():
    found = {
        type(item).__name__: item.CONTENT_TYPE
        for item in (
            CSVSerializer(), DataSerializer(), IdentitySerializer(), JSONLinesSerializer(),
            JSONSerializer(), LibSVMSerializer(), NumpySerializer(), SparseMatrixSerializer(),
        )
    }  # fmt: skip
    assert found == {
        "CSVSerializer": "text/csv",
        "DataSerializer": "file-path/raw-bytes",
        "IdentitySerializer": "application/octet-stream",
        "JSONLinesSerializer": "application/jsonlines",
        "JSONSerializer": "application/json",
        "LibSVMSerializer": "text/libsvm",
        "NumpySerializer": "application/x-npy",
        "SparseMatrixSerializer": "application/x-npz",
    }
    assert CSVSerializer("x/y").CONTENT_TYPE == "x/y"
    assert PandasDeserializer().ACCEPT == ("text/csv", "application/json")
    assert JSONDeserializer(("a/b", "c/d")).ACCEPT == ("a/b", "c/d")
    with pytest.raises(UsageError, match="content_type is 7"):
        CSVSerializer(7)


@pytest.mark.parametrize(
    ("deserializer", "body", "content_type", "value"),
    [
        (BytesDeserializer(), b"\xff", "x/y", b"\xff"),
        (StringDeserializer(), "ü".encode(), "text/plain", "ü"),
        (StringDeserializer("latin-1"), b"\xfc", "text/plain", "ü"),
        (CSVDeserializer(), b'1,"a\nb"\n2,c\n', "text/csv", [["1", "a\nb"], ["2", "c"]]),
        (JSONDeserializer(), b'{"a": 1}', "application/json; charset=utf-8", {"a": 1}),
        (JSONLinesDeserializer(), b'{"a": 1}\n2\n', "application/jsonlines", [{"a": 1}, 2]),
    ],
)
def test_answers(deserializer, body, content_type, value):
    stream = io.BytesIO(body)
    assert deserializer.deserialize(stream, content_type) == value
    assert stream.closed


def test_answers_as_arrays_frames_and_streams():
    def array(body, content_type, **settings):
        return NumpyDeserializer(**settings).deserialize(io.BytesIO(body), content_type).tolist()

    assert array(b"1,2\n3,4\n", "text/csv; charset=utf-8") == [[1.0, 2.0], [3.0, 4.0]]
    assert array(b"[[1, 2]]", "application/json", dtype="float") == [[1.0, 2.0]]
    for body, content_type in ((b"a\n1\n", "text/csv"), (b'{"a": {"0": 1}}', "application/json")):
        frame = PandasDeserializer().deserialize(io.BytesIO(body), content_type)
        assert frame.to_dict("list") == {"a": [1]}
    stream = io.BytesIO(b"x")
    assert StreamDeserializer().deserialize(stream, "x/y") == (stream, "x/y")


@pytest.mark.parametrize(
    ("deserializer", "body", "content_type"),
    [
        (JSONDeserializer(), b"oops", "application/json"),
        (StringDeserializer(), b"\xff", "text/plain"),
        (NumpyDeserializer(), b"oops", "application/x-npy"),
        (NumpyDeserializer(), b"oops", "x/y"),
        (PandasDeserializer(), b"oops", "x/y"),
    ],
)
def test_answers_that_are_not_what_they_say(deserializer, body, content_type):
    with pytest.raises(ModelError, match="can't read it") as told:
        deserializer.deserialize(io.BytesIO(body), content_type)
    assert told.value.body == body


def test_importing_them_loads_nothing_heavy():
    program = (
        "import sys, sagedock.launch.serializers, sagedock.launch.deserializers; "
        "print({'numpy', 'pandas', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


class Theirs:
    """As somebody else's serializer and deserializer."""

    CONTENT_TYPE = "their/type"
    ACCEPT = ("their/answer", "x/y")

    def serialize(self, data):
        return io.BytesIO(repr(data).encode())

    def deserialize(self, stream, content_type):
        return content_type, stream.read()


def test_a_predictor_takes_them_and_anybodys(tmp_path):
    session = Session(data=tmp_path)
    mine = Predictor("e", session, CSVSerializer(), JSONDeserializer())
    assert (mine.content_type, mine.accept) == ("text/csv", "application/json")
    assert mine.serialized([1], "text/csv") == b"1"
    assert mine.deserialized(io.BytesIO(b"[1]"), "application/json") == [1]
    theirs = Predictor("e", session, serializer=Theirs(), deserializer=Theirs())
    assert (theirs.content_type, theirs.accept) == ("their/type", "their/answer, x/y")
    assert theirs.serialized([1], "their/type") == b"[1]"
    assert theirs.deserialized(io.BytesIO(b"1"), "x/y") == ("x/y", b"1")
    plain = Predictor("e", session)
    assert (plain.content_type, plain.accept) == ("text/csv", None)
    for predictor in (mine, theirs, plain):
        predictor.close()
    session.close()


def test_lines_of_a_stream():
    events = [{"PayloadPart": {"Bytes": part}} for part in (b"a\nb", b"", b"c\n\nd")]
    assert list(LineIterator(events)) == [b"a", b"bc", b"", b"d"]
