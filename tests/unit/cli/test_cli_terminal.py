"""What a log line looks like at a terminal, and how a job is shown there and elsewhere."""

import io
import os
import pty
import threading
import time

import pytest
from cli_records import training_job

from sagedock.cli.lines import harmless, settled
from sagedock.cli.listeners import PlainShow, TerminalShow, show_on
from sagedock.cli.printing import as_text, outline, table
from sagedock.engine.plan import LogLine


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("plain", "plain"),
        ("windows\r", "windows"),
        ("10%\r50%\r100%", "100%"),
        ("10%\r50%\r", "50%"),
        ("", ""),
        ("\r", ""),
    ],
)
def test_a_line_as_it_settles(line, shown):
    assert settled(line) == shown


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("ü plain\ttab", "ü plain\ttab"),
        ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m\x1b[0m"),
        ("\x1b[2J\x1b[1;1Hgone", "gone"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]0;title\x1b\\text", "text"),
        ("bell\x07 back\x08space", "bell backspace"),
        ("end\x1b", "end"),
        ("\x9b2Jc1", "2Jc1"),
    ],
)
def test_a_log_is_only_text(line, shown):
    assert harmless(line, colour=True) == shown
    assert "\x1b" not in harmless(line, colour=False)


class Terminal:
    """A pseudo terminal: `stream` to write to, `screen` what came out."""

    def __init__(self):
        self._main, side = pty.openpty()
        self.stream = os.fdopen(side, "w", encoding="utf-8")
        self._read = bytearray()
        self._thread = threading.Thread(target=self._drain)
        self._thread.start()

    def _drain(self):
        try:
            while data := os.read(self._main, 65536):
                self._read += data
        except OSError:
            pass

    def screen(self):
        self.stream.close()
        self._thread.join()
        os.close(self._main)
        return self._read.decode()


def said(text):
    return LogLine(stamp="2026-11-24T08:07:01.000000000Z", text=text)


def test_a_terminal_shows_the_log_above_a_line_that_moves(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = Terminal()
    show = show_on(terminal.stream, quiet=False)
    assert isinstance(show, TerminalShow)
    with show:
        show.status(training_job("my-job"))
        show.log(said("\x1b[31mone\x1b[0m"))
        show.log(said("10%\r100%"))
        time.sleep(0.3)
    screen = terminal.screen()
    assert "\x1b[31mone" in screen
    assert "\x1b[K100%\r\n" in screen
    assert "Completed - my-job  0 s" in screen
    assert screen.endswith("\r\x1b[K")


def test_no_color(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = Terminal()
    with TerminalShow(terminal.stream, quiet=False) as show:
        show.log(said("\x1b[31mone\x1b[0m"))
    assert "\x1b[31m" not in terminal.screen()


def test_a_dumb_terminal_gets_plain_lines(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    terminal = Terminal()
    show = show_on(terminal.stream, quiet=False)
    with show:
        show.status(training_job("my-job"))
    assert terminal.screen() == "2026-11-24 08:07:05 Completed - Completed.\r\n"


def test_plain_lines():
    stream = io.StringIO()
    with show_on(stream, quiet=False) as show:
        show.status(training_job("my-job"))
        show.log(said("\x1b[31mone\x1b[0m"))
    assert stream.getvalue() == "2026-11-24 08:07:05 Completed - Completed.\none\n"


def test_quiet_leaves_out_the_log():
    stream = io.StringIO()
    with show_on(stream, quiet=True) as show:
        show.log(said("one"))
        show.status(training_job("my-job"))
    assert stream.getvalue().startswith("2026-11-24 08:07:05 Completed")


def test_a_reader_that_goes_away_does_not_end_the_job():
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        os.close(reading)
        with PlainShow(stream, quiet=False) as show:
            for _ in range(3):
                show.log(said("nobody reads this"))


def test_a_table_is_as_wide_as_it_needs_to_be():
    assert table(("A", "LONG"), [("long name", "x")]) == ["A          LONG", "long name  x"]


def test_an_outline():
    document = {
        "A": 1,
        "Long": "x\ny",
        "Empty": {},
        "Map": {"K": "v"},
        "List": [{"N": 1, "M": 2}, 3],
    }
    assert "\n".join(outline(document)).splitlines() == [
        "A:    1",
        "Long: x",
        "      y",
        "Map:",
        "  K: v",
        "List:",
        "  - N: 1",
        "    M: 2",
        "  - 3",
    ]


def test_json_has_no_numbers_that_json_does_not_have():
    assert as_text([float("nan"), float("inf"), -float("inf"), 1.5]).split() == [
        "[", '"NaN",', '"Infinity",', '"-Infinity",', "1.5", "]",
    ]  # fmt: skip
