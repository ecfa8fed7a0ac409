"""Columns of CSV as bytes: the quick ways choose what the careful one does."""

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagedock.errors import InputError
from sagedock.local.transform.csv_fields import Chooser, fields, joined, lines
from sagedock.local.transform.jsonpath import columns

PATHS = ("$", "$[*]", "$[0]", "$[2]", "$[-1]", "$[-2]", "$[0,-1]", "$[0,2]", "$[2,0]", "$[-1,0]",
         "$[1:]", "$[2:]", "$[:2]", "$[:-1]", "$[1:3]", "$[1:-1]", "$[-2:]", "$[0:]", "$[5:]",
         "$[:0]", "$[:-9]")  # fmt: skip
PLAIN = st.text("ab 1.-", max_size=4)
QUOTED = st.sampled_from(['"a,b"', '"say ""hi"""', '""', ' "x, y"'])


def chosen(path: str, rows: list[bytes], *, quoted: bool) -> list[bytes]:
    return Chooser(columns(path), path).of(rows, quoted=quoted)


@pytest.mark.parametrize("path", PATHS)
@given(rows=st.lists(st.lists(PLAIN, min_size=3, max_size=6), max_size=6))
def test_every_quick_way_is_the_careful_one(path: str, rows: list[list[str]]) -> None:
    """And both are what Python selects of a row's list."""
    found = [",".join(row).encode() for row in rows]
    quick = chosen(path, found, quoted=False)
    assert quick == chosen(path, found, quoted=True)
    place = columns(path)
    kept = [row[place] if isinstance(place, slice) else
            [row[at] for at in ((place,) if isinstance(place, int) else place)]
            for row in rows]  # fmt: skip
    assert quick == [",".join(row).encode() for row in kept]


@given(st.lists(PLAIN | QUOTED, min_size=1, max_size=6).filter(lambda row: row != [""]))
def test_fields_are_cut_where_a_csv_reader_cuts_them(row: list[str]) -> None:
    text = ",".join(row)
    cut = fields(text.encode())
    assert b",".join(cut) == text.encode()
    (read,) = csv.reader([text], skipinitialspace=True)
    assert len(cut) == len(read) == len(row)


def test_quotes_keep_their_commas_and_their_form() -> None:
    rows = [b'1,"a,b",x', b"2,c,y"]
    assert chosen("$[1]", rows, quoted=True) == [b'"a,b"', b"c"]
    assert chosen("$[0,-1]", rows, quoted=True) == [b"1,x", b"2,y"]


@pytest.mark.parametrize("quoted", [False, True])
@pytest.mark.parametrize("path", ["$[3]", "$[0,3]", "$[-4]"])
def test_a_row_that_lacks_a_column_is_told(path: str, quoted: bool) -> None:
    """The service's "indexes that aren't within the dimension size" are an error."""
    with pytest.raises(InputError, match=r"no place -?\d among the 3 fields of 'd,e,f'"):
        chosen(path, [b"a,b,c,d", b"d,e,f"], quoted=quoted)


def test_blank_lines_and_marks_are_no_rows() -> None:
    assert lines(b"\xef\xbb\xbfa,1\r\n\r\nb,2\n \n\n") == [b"a,1", b"b,2"]
    assert joined([b"a", b"b"], [b"1", b"2,3"]) == [b"a,1", b"b,2,3"]
