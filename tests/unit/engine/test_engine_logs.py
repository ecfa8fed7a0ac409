"""The engine's log stream as lines: nothing lost, nothing twice, however it is cut up."""

import struct
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagedock.engine.container import Reader, _frames, _joined, _Memory
from sagedock.engine.plan import LogLine

START = datetime(2026, 11, 24, 8, 7, 1, tzinfo=UTC)
ENTRY = 16 << 10
"""Bytes of one log entry: a longer line comes in several."""


def stamp(seconds: float) -> str:
    moment = START + timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"


def entries(stream: int, moment: str, text: str) -> list[tuple[int, bytes]]:
    """A line as the engine keeps it."""
    data = text.encode() + b"\n"
    pieces = [data[start : start + ENTRY] for start in range(0, len(data), ENTRY)]
    return [(stream, moment.encode() + b" " + piece) for piece in pieces]


def wire(frames: list[tuple[int, bytes]]) -> bytes:
    return b"".join(struct.pack(">BxxxL", stream, len(data)) + data for stream, data in frames)


def lines(data: list[bytes], *, whole_only: bool = False) -> list[LogLine]:
    return list(_joined(_frames(data), whole_only=whole_only))


TEXTS = st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]), max_size=20)


@given(
    texts=st.lists(st.tuples(st.sampled_from([1, 2]), TEXTS), max_size=10),
    size=st.integers(1, 50),
)
def test_lines_come_back_however_the_stream_is_cut(texts, size):
    frames = [frame for stream, text in texts for frame in entries(stream, stamp(0), text)]
    data = wire(frames)
    chunks = [data[start : start + size] for start in range(0, len(data), size)]
    assert lines(chunks) == [LogLine(stamp=stamp(0), text=text) for _, text in texts]


@pytest.mark.parametrize("length", [0, 1, ENTRY - 1, ENTRY, ENTRY + 1, 5 * ENTRY, 1_000_000])
def test_a_long_line_is_one_line(length):
    text = "é" * (length // 2) + "x" * (length % 2)
    assert lines([wire(entries(1, stamp(0), text))]) == [LogLine(stamp=stamp(0), text=text)]


def test_a_long_line_is_not_mixed_up_with_the_other_streams():
    long, other = entries(1, stamp(0), "a" * 40_000), entries(2, stamp(1), "warning")
    frames = [long[0], *other, *long[1:]]
    assert lines([wire(frames)]) == [
        LogLine(stamp=stamp(1), text="warning"),
        LogLine(stamp=stamp(0), text="a" * 40_000),
    ]


def test_a_last_line_without_line_break():
    frame = (1, stamp(0).encode() + b" no end")
    assert lines([wire([frame])]) == [LogLine(stamp=stamp(0), text="no end")]
    assert lines([wire([frame])], whole_only=True) == []  # a follower may have been cut off


def test_empty_lines_carriage_returns_and_bytes_that_are_no_text():
    frames = [(1, stamp(0).encode() + b" " + data)
              for data in (b"\n", b"10%\r20%\r\n", b"\xff\xfe\n", b" a  b \n")]  # fmt: skip
    assert [line.text for line in lines([wire(frames)])] == [
        "",
        "10%\r20%",
        "\ufffd\ufffd",
        " a  b ",
    ]


def test_a_frame_that_was_cut_off_is_left_for_the_next_reading():
    data = wire(entries(1, stamp(0), "one") + entries(1, stamp(0), "two"))
    assert [line.text for line in lines([data[:-1]])] == ["one"]


# reading that is resumed


class Log:
    """The engine's log: `since` leaves older lines out, wherever they stand."""

    def __init__(self, log: list[LogLine]) -> None:
        self._log = log

    def read(self, since: float | None, count: int | None = None) -> list[LogLine]:
        found = [line for line in self._log if self._moment(line) >= (since or 0.0)]
        return found[:count]

    @staticmethod
    def _moment(line: LogLine) -> float:
        return datetime.fromisoformat(line.stamp[:26] + "+00:00").timestamp()


LOGS = st.lists(
    st.tuples(st.floats(0, 4), st.floats(0, 2), st.sampled_from(["a", "b"])), max_size=25
).map(
    # Time goes on, and each line's stamp may be up to two seconds late.
    lambda steps: [
        LogLine(stamp=stamp(sum(step[0] for step in steps[: n + 1]) - late), text=text)
        for n, (_, late, text) in enumerate(steps)
    ]
)


@given(log=LOGS, cuts=st.lists(st.integers(0, 25), max_size=3))
def test_each_line_comes_once_in_order_wherever_reading_broke_off(log, cuts):
    engine, memory = Log(log), _Memory([])
    got: list[LogLine] = []
    for cut in sorted(cuts):  # each reading ends early, somewhere further on
        already = len(got)
        for line in memory.new(engine.read(memory.since())):
            if len(got) >= max(cut, already):
                break
            got.append(line)
        else:
            continue
        memory = _Memory(got)  # another process goes on from what is in the file
    got += memory.new(engine.read(memory.since()))
    assert got == log


def test_lines_that_are_equal_to_the_nanosecond_all_come():
    log = [LogLine(stamp=stamp(0), text="x")] * 3
    memory = _Memory(log[:1])
    assert list(memory.new(log)) == log[1:]
    assert list(memory.new(log)) == []


def test_a_long_log_is_not_remembered_whole():
    memory = _Memory([])
    log = (LogLine(stamp=stamp(number / 10), text=str(number)) for number in range(5000))
    assert Counter(1 for _ in memory.new(log)) == {1: 5000}
    assert len(memory._recent) < 200


# chunks as a file


@given(chunks=st.lists(st.binary(max_size=10), max_size=8), size=st.integers(1, 7))
def test_chunks_are_read_as_one_file(chunks, size):
    import io

    stream = io.BufferedReader(Reader(chunks), 4)
    read = b""
    while data := stream.read(size):
        read += data
    assert read == b"".join(chunks)
