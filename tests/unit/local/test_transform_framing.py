"""RecordIO and TFRecord as payloads (E7)."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transform_kit import cut

from sagedock.errors import InputError

MAGIC = struct.pack("<I", 0xCED7230A)
RECORDS = st.lists(st.binary(max_size=40) | st.just(MAGIC * 3), max_size=30)


def part(kind: int, content: bytes) -> bytes:
    word = struct.pack("<I", kind << 29 | len(content))
    return MAGIC + word + content + b"\0" * (-len(content) % 4)


def recordio(content: bytes) -> bytes:
    """As MXNet's writer does it: cut where the content holds the magic number at a word's start."""
    pieces = content.split(MAGIC)
    if len(pieces) == 1 or any(len(piece) % 4 for piece in pieces[:-1]):
        return part(0, content)
    kinds = [1, *(2 for _ in pieces[2:]), 3]
    return b"".join(part(kind, piece) for kind, piece in zip(kinds, pieces, strict=True))


def tfrecord(content: bytes) -> bytes:
    return struct.pack("<Q", len(content)) + b"head" + content + b"tail"


WRITERS = {"RecordIO": recordio, "TFRecord": tfrecord}


@pytest.mark.parametrize("split", WRITERS)
@given(records=RECORDS, limit=st.integers(100, 400))
def test_every_record_goes_once_and_in_order(split: str, records: list[bytes], limit: int) -> None:
    """Alone, without its frame; or with as many others as fit, frames and all."""
    data = b"".join(map(WRITERS[split], records))
    assert cut(data, split, "SingleRecord", limit) == records
    bodies = cut(data, split, "MultiRecord", limit)
    assert b"".join(bodies) == data
    assert all(len(body) <= limit for body in bodies)
    assert [held for body in bodies for held in cut(body, split, "SingleRecord", 0)] == records


@pytest.mark.parametrize("split", WRITERS)
@given(records=RECORDS.filter(bool), lost=st.integers(1, 8))
def test_a_file_that_ends_within_a_record_is_told(
    split: str, records: list[bytes], lost: int
) -> None:
    data = b"".join(map(WRITERS[split], [*records, b"last one, long enough"]))
    with pytest.raises(InputError, match=rf"no whole {split} record at byte \d+"):
        cut(data[:-lost], split, "MultiRecord", 0)


@pytest.mark.parametrize("split", WRITERS)
def test_a_record_over_the_limit_is_refused(split: str) -> None:
    with pytest.raises(InputError, match="a record of 4096 bytes is larger than MaxPayloadInMB"):
        cut(WRITERS[split](b"x" * 4096), split, "SingleRecord", 1024)


def test_what_is_no_recordio_is_refused() -> None:
    with pytest.raises(InputError, match="no whole RecordIO record at byte 0"):
        cut(b"1,2,3\n4,5,6\n", "RecordIO", "MultiRecord", 0)


def test_a_middle_part_without_a_first_is_refused() -> None:
    with pytest.raises(InputError, match="no whole RecordIO record"):
        cut(part(2, b"lost"), "RecordIO", "SingleRecord", 0)
