"""CSV to numbers: the fast way and the careful way agree on every text, and name what is wrong."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sagedock.runtime.serve.csv_rows import Decoder, careful, clean
from sagedock.runtime.serve.problems import Refusal

CELLS = [
    "1", "-2.5", "1e3", "", "nan", "NaN", "0", "12345678.9", "1e39", "+3", ".5", "1.", "x", "1nan",
    "nan1", " 7", "007", "-", "1e", "inf", '"3"', "true", "null", "0.1", "1e-50", "16777217",
    "123456789012345678901234567890", "[1]", "[1", "2]", "-0.98765432198765e298", '"',
    "-0.98765432198765e299", "{}", "1\t2", "[]",
]  # fmt: skip


def told(function):
    try:
        return function()
    except Refusal as refusal:
        return refusal.status, refusal.message


@settings(max_examples=1500, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(CELLS), min_size=1, max_size=4), min_size=1, max_size=5),
    st.sampled_from([1, 5, 20, 1000]),
)
def test_fast_and_careful_agree(rows, block_bytes):
    body = "\n".join(",".join(row) for row in rows).encode()
    text = clean(body)
    if not text:
        return
    fast = told(lambda: Decoder(3, block_bytes).table(body))
    slow = told(lambda: careful(text, 3))
    assert type(fast) is type(slow)
    np.testing.assert_equal(fast, slow)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.floats(width=32), min_size=1, max_size=20))
def test_every_float32_comes_back(values):
    body = ",".join(map(repr, values)).encode()
    np.testing.assert_array_equal(Decoder(len(values)).table(body)[0], np.array(values, np.float32))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"1,2\n3,4", [[1, 2], [3, 4]]),
        (b"1,2\r\n3,4\r\n", [[1, 2], [3, 4]]),
        (b"\xef\xbb\xbf1,2\n", [[1, 2]]),
        (b"1\t2\n3\t4", [[1, 2], [3, 4]]),
        (b"1;2", [[1, 2]]),
        (b",\n,4", [[np.nan, np.nan], [np.nan, 4]]),
        (b"1,\nnan,4", [[1, np.nan], [np.nan, 4]]),
        (b"1e39,-1e39", [[np.inf, -np.inf]]),
    ],
)
def test_forms(body, expected):
    np.testing.assert_array_equal(Decoder(2).table(body), np.array(expected, np.float32))


@pytest.mark.parametrize(
    ("body", "message", "facts"),
    [
        (b"1,2,3", "Row 1 has 3 columns; the model takes 2.", {"row": 1}),
        (b"1,2\n3,4,-0.98765432198765e298,5,6", "Row 2 has 5 columns", {"row": 2}),
        (b"1,2,-0.98765432198765e298,3,4", "Row 1 has 5 columns", {"row": 1}),
        (b"1\n-0.98765432198765e298,3,4", "Row 1 has 1 columns", {"row": 1}),
        (b"1,2\n3", "Row 2 has 1 columns; the model takes 2.", {"row": 2}),
        (b"1,2\n3,four", "Row 2, column 2: 'four' is not a number.", {"row": 2, "column": 2}),
        (b"age,name", "Send the rows without a header.", {"row": 1, "column": 1}),
        (b"1,\xff", "Row 1 is not UTF-8 text.", {"row": 1}),
        (b"\n\n", "The request's body holds no row.", {}),
    ],
)
def test_refusals_name_row_and_column(body, message, facts):
    with pytest.raises(Refusal) as caught:
        Decoder(2).table(body)
    assert caught.value.status == 400
    assert message in caught.value.message
    assert caught.value.facts == facts


@pytest.mark.parametrize("body", [b"1,2\n3,4", b"1", b"1,", b",1", b"1,x", b"", b"1,2,3", b"1,nan"])
def test_what_is_no_single_plain_row_goes_the_long_way(body):
    assert Decoder(2).single(body) is None


def test_rows_that_came_alone_are_decoded_together():
    decoder = Decoder(2)
    rows = [decoder.single(body) for body in (b"1,2\n", b" 3,4", b"5,6.5")]
    np.testing.assert_array_equal(decoder.joined(rows), np.float32([[1, 2], [3, 4], [5, 6.5]]))
    assert decoder.joined([b"1,2", b"01,2"]) is None


@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("block_bytes", [1, 2, 3, 7, 100])
def test_a_text_in_blocks_is_the_text_as_one(columns, block_bytes):
    rows = [["1", "", "3.5", "nan", "4", "5", "", "", "6e3"][at:][:columns] for at in range(8)]
    body = "\n".join(map(",".join, rows)).encode()
    np.testing.assert_array_equal(
        Decoder(columns, block_bytes).table(body), Decoder(columns).table(body)
    )
