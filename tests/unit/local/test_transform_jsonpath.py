"""The JSONPath of filters: each row of the service's table of operators (E14), and what is not in
it."""

import subprocess
import sys

import pytest

from sagedock.errors import InputError
from sagedock.local.transform.jsonpath import columns, compiled

VALUE = {"id": 7, "tags": ["a", "b", "c"], "deep": [{"x": 1, "y": 2}, {"x": 3, "y": 4}]}
RECORD = {"id": {"a": 1, "b": [3, 4]}, "field1": {"child1": 1, "child2": 2}, "SageMakerOutput": 0.5}
ROW = [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("$", RECORD, RECORD),
        ("$.id", RECORD, {"a": 1, "b": [3, 4]}),
        ("$.id.*", RECORD, [1, [3, 4]]),
        (
            "$['id','SageMakerOutput']",
            RECORD,
            {"id": {"a": 1, "b": [3, 4]}, "SageMakerOutput": 0.5},
        ),
        ("$.field1.['child1','child2']", RECORD, {"child1": 1, "child2": 2}),
        ("$[1]", ROW, 1),
        ("$[-1]", ROW, 5),
        ("$[1,3,5]", ROW, [1, 3, 5]),
        ("$[2:5]", ROW, [2, 3, 4]),
        ("$[:5]", ROW, [0, 1, 2, 3, 4]),
        ("$[2:]", ROW, [2, 3, 4, 5]),
    ],
)
def test_every_operator_of_the_services_table(path: str, value: object, expected: object) -> None:
    """One row an operator, with the table's own examples."""
    assert compiled(path)(value) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$['id']", 7),
        ("$.['id','tags']", {"id": 7, "tags": ["a", "b", "c"]}),
        ("$.tags[0,-1]", ["a", "c"]),
        ("$.tags[-2:-1]", ["b"]),
        ("$.tags[*]", ["a", "b", "c"]),
        ("$.deep[*].x", [1, 3]),
        ("$.deep[0,1].x", [1, 3]),
        ("$.deep[*]['x','y']", [{"x": 1, "y": 2}, {"x": 3, "y": 4}]),
        ("$.deep[1]['x','y']", {"x": 3, "y": 4}),
    ],
)
def test_operators_go_together(path: str, expected: object) -> None:
    assert compiled(path)(VALUE) == expected


@pytest.mark.parametrize(
    "path",
    ["", "id", "$..id", "$[?(@.x>1)]", "$.tags[", "$.a b", "$[]", "$[1:4:2]", "$.a|b", "$.`this`"],
)
def test_what_the_service_does_not_know_is_refused(path: str) -> None:
    """Also where the library could do it."""
    with pytest.raises(InputError, match="is not known"):
        compiled(path)


@pytest.mark.parametrize(
    "path", ["$.none", "$.tags[3]", "$.tags[0,3]", "$.id[0]", "$.id.x", "$[1:]", "$.id.*"]
)
def test_what_is_not_there_is_told(path: str) -> None:
    with pytest.raises(InputError, match="JSONPath"):
        compiled(path)(VALUE)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$", slice(None)),
        ("$[*]", slice(None)),
        ("$[1:]", slice(1, None)),
        ("$[1:4]", slice(1, 4)),
        ("$[3]", 3),
        ("$[0,-1]", (0, -1)),
    ],
)
def test_paths_of_csv_are_columns(path: str, expected: object) -> None:
    assert columns(path) == expected


def test_the_library_is_imported_only_for_a_filter() -> None:
    code = (
        "import sys, sagedock.local.client, sagedock.local.transform.execution\n"
        "assert 'jsonpath_ng' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
