"""Parquet bodies with the columns that a reader hands over, and without any reader."""

import numpy as np
import pytest

from sagedock.runtime.serve import bodies, parquet_rows
from sagedock.runtime.serve.problems import Refusal


class Column:
    """What arro3 gives: a type, and numpy's numbers or Python's values."""

    def __init__(self, kind, cells):
        self.type = kind
        self._cells = cells
        self.null_count = sum(cell is None for cell in cells)

    def to_numpy(self):
        return np.array(self._cells)

    def to_pylist(self):
        return self._cells


class Table:
    def __init__(self, **columns):
        self.column_names = list(columns)
        self._columns = list(columns.values())
        self.num_rows = len(self._columns[0].to_pylist())

    def read_all(self):
        return self

    def column(self, place):
        return self._columns[place]


class PanicException(BaseException):
    """Named as pyo3 names what Rust panics with."""


class Types:
    """arro3's questions about a type, with names in place of types."""

    is_numeric = staticmethod(lambda kind: kind in ("Float64", "Int32", "Decimal"))
    is_boolean = staticmethod(lambda kind: kind == "Boolean")
    is_decimal = staticmethod(lambda kind: kind == "Decimal")


def reader(found):
    """Reads `found`, or raises it."""

    def read(file):
        if isinstance(found, BaseException):
            raise found
        return found

    return parquet_rows.Reader(read=read, types=Types)


FILE = b"PAR1 and so on PAR1"


def test_columns_become_float32_and_nulls_nan():
    found = parquet_rows.table(
        FILE, reader(Table(
            a=Column("Float64", [1.5, None, 1e39]),
            b=Column("Int32", [1, 2, 3]),
            c=Column("Boolean", [True, False, None]),
        ))
    )  # fmt: skip
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [[1.5, 1, 1], [np.nan, 2, 0], [np.inf, 3, np.nan]])


@pytest.mark.parametrize("kind", ["Utf8", "Decimal"])
def test_a_column_without_numbers_is_named(kind):
    table = Table(a=Column("Int32", [1]), name=Column(kind, ["x"]))
    with pytest.raises(Refusal, match=f"Column 2, 'name', holds {kind}") as caught:
        parquet_rows.table(FILE, reader(table))
    assert (caught.value.status, caught.value.facts) == (400, {"column": 2})


@pytest.mark.parametrize(
    ("body", "error"),
    [(b"junk", None), (b"PAR1PAR1", None), (FILE, PanicException("EOF")), (FILE, OSError("bad"))],
)
def test_what_is_no_parquet(body, error):
    with pytest.raises(Refusal, match="not a Parquet file") as caught:
        parquet_rows.table(body, reader(error))
    assert caught.value.status == 400


def test_other_ends_of_the_program_are_passed_on():
    with pytest.raises(KeyboardInterrupt):
        parquet_rows.table(FILE, reader(KeyboardInterrupt()))


def test_without_a_reader_the_answer_says_how_to_get_one():
    assert not parquet_rows.available()
    with pytest.raises(Refusal, match=r"arro3-io.*code/requirements\.txt") as caught:
        bodies.kind_of("application/x-parquet")
    assert caught.value.status == 415
