"""What the failure file says, from exit codes and real shapes of output."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagedock.contract.failure import LIMIT
from sagedock.runtime.diagnosis import describe_exit, explain, last_exception


def told(output: str, exit_code: int = 1, **more) -> str:
    return explain(exit_code=exit_code, tail=output.encode(), **more)


def python_says(script: str) -> str:
    """The real traceback of this Python."""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    return done.stderr


def test_a_chain_is_told_from_its_end_to_its_origin():
    output = python_says(
        "try: {}['x']\nexcept KeyError as e: raise ValueError('bad column') from e\n"
    )
    assert told(output).splitlines()[:2] == ["ValueError: bad column", "caused by: KeyError: 'x'"]


def test_an_exception_while_handling_another():
    output = python_says("try: 1 / 0\nexcept ZeroDivisionError: open('/no/such/file')")
    lines = told(output).splitlines()
    assert lines[0] == "FileNotFoundError: [Errno 2] No such file or directory: '/no/such/file'"
    assert lines[1] == "while handling: ZeroDivisionError: division by zero"


def test_two_separate_tracebacks_are_not_a_chain():
    output = (
        python_says("raise KeyError('first')") + "going on\n" + python_says("raise OSError('x')")
    )
    assert told(output).startswith("OSError: x\n")
    assert "KeyError" not in told(output)


def test_a_message_of_several_lines_stays_whole():
    output = python_says("raise ValueError('one\\n  two\\n\\nthree')")
    assert told(output).startswith("ValueError: one\n  two\n\nthree\n")


def test_log_lines_after_the_traceback_are_not_its_message():
    output = python_says("raise ValueError('one')") + "2026-01-01 10:00:00 INFO leaving\n"
    assert told(output).splitlines()[1] == "The program exited with code 1."


@pytest.mark.parametrize(
    "prefix",
    ["[1,mpirank:0,algo-1]<stderr>:", "2026-01-01 10:00:00,123 ERROR ", "algo-1  | ", "[rank0]: "],
)
def test_a_traceback_within_log_prefixes(prefix):
    lines = python_says("def f():\n  raise ValueError('deep')\nf()").splitlines()
    output = "\n".join(prefix + line for line in lines)
    text = told(output)
    assert text.startswith("ValueError: deep\n")
    assert "in f" in text


def test_a_logged_traceback_with_the_prefix_only_on_its_first_line():
    lines = python_says("raise ValueError('deep')").splitlines()
    output = "ERROR:root:" + "\n".join(lines)
    assert told(output).startswith("ValueError: deep\n")


def test_an_exception_group():
    output = python_says("raise ExceptionGroup('all', [ValueError('one'), TypeError('two')])")
    text = told(output)
    assert "TypeError: two" in text or text.startswith("ExceptionGroup: all (2 sub-exceptions)")


def test_a_syntax_error_has_no_traceback_marker(tmp_path):
    script = tmp_path / "train.py"
    script.write_text("def f(:\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False
    )
    text = told(done.stderr)
    assert text.startswith("SyntaxError: invalid syntax")
    assert "train.py" in text


def test_argparse_says_its_own_cause():
    output = python_says("import argparse; argparse.ArgumentParser().parse_args(['--x', '1'])")
    text = told(output, exit_code=2)
    assert "unrecognized arguments: --x 1" in text.splitlines()[0]
    assert "code 2" in text


def test_a_metric_is_not_an_error():
    text = told("[3]\ttrain-error:0.02\tvalidation-error:0.06\n", exit_code=3)
    assert text.startswith("The program exited with code 3.")


def test_no_words_at_all():
    assert told("", exit_code=3) == "The program exited with code 3."


def test_the_last_line_is_told_when_nothing_else_is_known():
    assert "Last line of the log: reading data" in told("start\nreading data\n\n", exit_code=3)


def test_a_signal_comes_before_an_exception_of_earlier():
    output = python_says("raise ValueError('caught and logged')") + "going on\n"
    text = told(output, exit_code=137, killed_by=9)
    assert text.startswith("The program was killed by SIGKILL (exit code 137): most likely out of")
    assert "Last exception in the log: ValueError: caught and logged" in text


def test_a_shells_report_of_a_signal():
    assert told("", exit_code=139).startswith("The program was killed by SIGSEGV (exit code 139)")


def test_the_kernels_own_word_on_memory():
    assert told("", exit_code=137, out_of_memory=True).startswith("Out of memory: the kernel")


@pytest.mark.parametrize(("code", "words"), [(126, "could not be executed"), (127, "not found")])
def test_what_a_shells_exit_codes_mean(code, words):
    assert words in describe_exit(code)


def test_a_stop_is_not_blamed_on_the_last_exception():
    output = python_says("raise ValueError('while saving')")
    text = told(output, exit_code=1, stopped_by=int(signal.SIGTERM))
    assert text.startswith("Stopped: SIGTERM was received; the program then ended with exit code 1")
    assert "Last exception in the log: ValueError: while saving" in text


def test_progress_bars_and_colours_do_not_get_in_the_way():
    output = "\r 10%\r 20%\r\x1b[31mValueError: red\x1b[0m\n"
    assert told(output).startswith("ValueError: red")


def test_a_long_message_leaves_room_for_what_follows():
    output = python_says("raise ValueError('x' * 5000)")
    assert "The program exited with code 1." in told(output, command="python train.py")[:LIMIT]


def test_a_tail_that_begins_in_the_middle_of_a_character():
    tail = "é".encode()[1:] + b"\nValueError: after\n"
    assert explain(exit_code=1, tail=tail).startswith("ValueError: after")


@given(st.binary(max_size=400), st.integers(1, 255))
def test_any_output_gives_a_text(tail, code):
    text = explain(exit_code=code, tail=tail)
    assert text.strip()
    text.encode("utf-8")


@given(st.text(alphabet=st.characters(blacklist_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1))
def test_any_message_of_one_line_is_found(message):
    line = f"ValueError: {message}".rstrip()
    lines = ["Traceback (most recent call last):", '  File "t.py", line 1, in <module>', line]
    found = last_exception(lines)
    assert found is not None
    assert found.text == line


_PIECES = st.sampled_from(
    [
        "Traceback (most recent call last):",
        "ERROR Traceback (most recent call last):",
        "  + Exception Group Traceback (most recent call last):",
        "  |   File 'x', line 1",
        '  File "t.py", line 1, in f',
        "    raise",
        "ValueError: x",
        "ValueError",
        "The above exception was the direct cause of the following exception:",
        "During handling of the above exception, another exception occurred:",
        "",
        "[0]\ttrain-error:0.1",
        "usage: t.py [-h]",
    ]
)


@given(st.lists(_PIECES, max_size=30), st.integers(1, 255))
def test_tracebacks_cut_anywhere(lines, code):
    assert told("\n".join(lines), exit_code=code).strip()


def test_a_log_full_of_tracebacks_is_read_quickly():
    one = python_says("raise ValueError('again')")
    before = time.monotonic()
    assert told(one * (64 * 1024 // len(one))).startswith("ValueError: again")
    assert time.monotonic() - before < 2
