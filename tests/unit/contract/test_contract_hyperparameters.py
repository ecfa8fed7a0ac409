"""A hyperparameter's whole way, from the caller's value to the script's argument (A2.1, B1.3, B3).

The last station, the training toolkit, is in the images; here its documented rules stand in.
"""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sagedock.contract.hyperparameters import (
    argument,
    decode,
    encode,
    is_reserved,
    strip_quotes,
    user_hyperparameters,
)
from sagedock.errors import UsageError

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = TEXT | st.integers() | st.floats(allow_nan=False) | st.booleans() | st.none()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=8
)


def on_arrival(folder: Path, values: dict[str, object]) -> dict[str, str]:
    """What a script's arguments would be: through the file on disk, as in a container."""
    file = folder / "hyperparameters.json"
    file.write_text(json.dumps(encode(values, script_mode=True)), "utf-8")
    return {name: argument(decode(text)) for name, text in json.loads(file.read_text()).items()}


def by_the_table(value: object) -> str:
    """B3, read from the caller's side."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, dict):
        return ",".join(f"{key}={item}" for key, item in sorted(value.items()))
    return str(value)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("config")


@given(value=VALUES)
def test_a_script_gets_what_the_caller_wrote(folder, value):
    assert on_arrival(folder, {"x": value}) == {"x": by_the_table(value)}


@given(text=TEXT)
def test_text_always_arrives_unchanged(folder, text):
    assert on_arrival(folder, {"x": text}) == {"x": text}


@pytest.mark.parametrize(
    "text",
    ["1e5", "007", "1.0", "1.50", "true", "null", "NaN", "-Infinity", '"x"', "[1,2]", '{"a":1}',
     " 1", "1\n", "", " ", "'", '"', "a b", "$(rm -rf /)", "ü", "-0", "1" * 5000, "[" * 2000],
)  # fmt: skip
def test_text_that_looks_like_json_arrives_unchanged_too(folder, text):
    assert on_arrival(folder, {"x": text}) == {"x": text}


@pytest.mark.parametrize(
    ("text", "value", "shown"),
    [
        ("10", 10, "10"),
        ("1e-3", 0.001, "0.001"),
        ("1e5", 100000.0, "100000.0"),
        ("true", True, "True"),
        ("null", None, ""),
        ("007", "007", "007"),
        ('"abc"', "abc", "abc"),
        ("[1,2]", [1, 2], "[1, 2]"),
        ('{"b":2,"a":1}', {"b": 2, "a": 1}, "a=1,b=2"),
    ],
)
def test_the_table_of_b3(text, value, shown):
    assert decode(text) == value
    assert argument(decode(text)) == shown


def test_nan_of_b3():
    assert math.isnan(decode("NaN"))
    assert argument(decode("NaN")) == "nan"


def test_plain_text_stays_bare_in_script_mode_so_that_it_suits_every_image():
    values = encode({"a": "gini", "b": "10", "c": "0.5", "d": 3}, script_mode=True)
    assert values == {"a": "gini", "b": "10", "c": "0.5", "d": "3"}


def test_text_that_would_change_is_quoted_in_script_mode_only():
    assert encode({"a": "1e5"}, script_mode=True) == {"a": '"1e5"'}
    assert encode({"a": "1e5", "b": True, "c": 0.2}, script_mode=False) == {
        "a": "1e5",
        "b": "true",
        "c": "0.2",
    }


@settings(max_examples=40)
@given(values=st.dictionaries(TEXT, VALUES))
def test_a_request_carries_text_only(values):
    for mode in (True, False):
        encoded = encode(values, script_mode=mode)
        assert set(encoded) == set(values)
        assert all(isinstance(text, str) for text in encoded.values())


@pytest.mark.parametrize("value", [Path("x"), {1, 2}, b"x", object()])
def test_a_value_without_json_form_is_refused_by_name(value):
    with pytest.raises(UsageError, match=r"Hyperparameter 'depth' is of type"):
        encode({"depth": value}, script_mode=True)


def test_reserved_names_are_no_hyperparameters_of_the_user():
    assert is_reserved("sagemaker_program")
    assert is_reserved("_tuning_objective_metric")
    assert not is_reserved("sage")
    assert user_hyperparameters({"sagemaker_region": "x", "eta": "1"}) == {"eta": "1"}


@pytest.mark.parametrize(
    ("text", "bare", "quoted"),
    [
        ("0.2", "0.2", False),
        ('"0.2"', "0.2", True),
        ('"reg:squarederror"', "reg:squarederror", True),
        ('"a\\"b"', 'a"b', True),
        ('"', '"', False),
        ('"a" b"', '"a" b"', False),
        ("", "", False),
        ("[1]", "[1]", False),
    ],
)
def test_quotes_of_an_sdk_are_stripped(text, bare, quoted):
    assert strip_quotes(text) == (bare, quoted)


@given(text=TEXT)
def test_stripping_undoes_the_sdks_quoting(text):
    assert strip_quotes(json.dumps(text)) == (text, True)
