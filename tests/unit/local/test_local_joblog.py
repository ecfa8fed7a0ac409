"""A job's log file: written by its owner, followed by anyone, taken up by a new owner."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sagedock.engine.plan import LogLine
from sagedock.local import joblog


def line(number: int, text: str) -> LogLine:
    moment = f"2026-11-24T{number // 3600:02d}:{number // 60 % 60:02d}:{number % 60:02d}"
    return LogLine(stamp=f"{moment}.000000001Z", text=text)


def write(path: Path, *lines: LogLine) -> None:
    log = joblog.LogWriter(path)
    for item in lines:
        log.write(item)
    log.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "algo-1.log"


TEXTS = ["", "plain", " a  b ", "10%\r20%\r", "tab\there", "ü 日本 🙂", "\x1b[31mred\x1b[0m",
         "\x0b\x0c", "\u2028\u2029\x85", "x" * 100_000]  # fmt: skip


def test_lines_come_back_as_they_were(path):
    """Only a line break ends a line: progress bars are full of carriage returns."""
    lines = [line(number, text) for number, text in enumerate(TEXTS)]
    write(path, *lines)
    assert joblog.read(path) == lines
    assert joblog.tail(path) == lines
    assert list(joblog.follow(path, lambda: True)) == lines


def test_no_log_yet(path):
    assert joblog.read(path) == []
    assert joblog.tail(path) == []
    assert list(joblog.follow(path, lambda: True)) == []


def test_a_line_is_seen_as_soon_as_it_is_written(path):
    log = joblog.LogWriter(path)
    log.write(line(1, "one"))
    assert [item.text for item in joblog.read(path)] == ["one"]
    log.close()


def test_the_time_of_a_line():
    assert joblog.seconds(LogLine(stamp="1970-01-01T00:00:01.500000000Z", text="")) == 1.5


# following


class Script:
    """What happens between two looks at the log; when it is over, the job has ended."""

    def __init__(self, *acts: Callable[[], None]) -> None:
        self._acts = list(acts)

    def __call__(self) -> bool:
        if not self._acts:
            return True
        self._acts.pop(0)()
        return False


def append(path: Path, data: bytes) -> Callable[[], None]:
    def act() -> None:
        path.parent.mkdir(exist_ok=True)
        with path.open("ab") as stream:
            stream.write(data)

    return act


def test_followers_see_whole_lines_only(path):
    record = f"{line(1, '').stamp} größe 🙂\n".encode()
    for cut in (0, 5, 31, 34, 36, 40, 42, len(record) - 1):  # in a character too
        script = Script(append(path, record[:cut]), append(path, record[cut:]), append(path, b""))
        assert [item.text for item in joblog.follow(path, script)] == ["größe 🙂"]
        path.unlink()


def test_followers_may_come_before_the_log(path):
    script = Script(lambda: None, append(path, f"{line(1, '').stamp} late\n".encode()))
    assert [item.text for item in joblog.follow(path, script)] == ["late"]


def test_what_was_written_before_the_end_is_seen(path):
    """The tail: the last thing that happens before the end is a thousand lines."""
    lines = [line(number, f"line {number}") for number in range(1000)]
    seen = list(joblog.follow(path, Script(lambda: write(path, *lines))))
    assert seen == lines


def test_a_long_log_and_a_very_long_line(path):
    lines = [line(number, "y" * 100) for number in range(5000)] + [line(1, "z" * 3_000_000)]
    write(path, *lines)
    assert list(joblog.follow(path, lambda: True)) == lines


# taken up by another owner


def test_the_tail_reaches_back_far_enough_however_much_was_printed(path):
    """A resumed reading goes back some seconds; what is in them must be known."""
    busy = [line(100, f"{number} {'x' * 100}") for number in range(20_000)]  # 2 MB in one second
    write(path, *[line(number, "early") for number in range(0, 80)], *busy)
    tail = joblog.tail(path)
    assert tail[-20_000:] == busy
    assert joblog.seconds(tail[-1]) - joblog.seconds(tail[0]) > 6


def test_the_tail_of_a_long_log_is_short(path):
    write(path, *[line(number, "x" * 1000) for number in range(5000)])
    assert len(joblog.tail(path)) < 2000


def test_half_a_line_of_a_killed_owner_is_dropped(path):
    write(path, line(1, "one"))
    append(path, b"2026-11-24T00:00:02.0000")()
    write(path, line(2, "two"))
    assert joblog.read(path) == [line(1, "one"), line(2, "two")]


def test_a_log_of_nothing_but_half_a_line(path):
    append(path, b"x" * 600_000)()
    write(path, line(2, "two"))
    assert joblog.read(path) == [line(2, "two")]
