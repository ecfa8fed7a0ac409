"""The supervisor with real processes: exit codes, signals, output, what it leaves behind."""

from __future__ import annotations

import re
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest


def test_success_leaves_a_sign_and_no_failure_file(container):
    code, output = container.python("print('trained')")
    assert code == 0
    assert "trained" in output
    assert container.failure is None
    assert container.success


@pytest.mark.parametrize("number", [1, 3, 77, 255])
def test_the_scripts_exit_code_is_kept(container, number):
    code, _ = container.python(f"import sys; sys.exit({number})")
    assert code == number
    assert f"code {number}" in container.failure
    assert not container.success


def test_an_exception_comes_first_in_the_failure_file(container):
    code, output = container.python("raise ValueError('column churn is missing')")
    assert code == 1
    assert container.failure.startswith("ValueError: column churn is missing\n")
    assert "Command: " in container.failure
    assert 'File "<string>", line 1' in container.failure
    assert "training ended with exit code 1: ValueError: column churn is missing" in output


@pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV", "SIGABRT"])
def test_death_by_a_signal_is_told_as_a_shell_would(container, name):
    number = signal.Signals[name]
    code, _ = container.python(f"import os; os.kill(os.getpid(), {int(number)})")
    assert code == 128 + number
    assert container.failure.startswith(f"The program was killed by {name} (exit code {code})")


def test_a_failure_file_of_the_script_is_kept(container):
    script = f"open({container.paths.failure!r}, 'w').write('my own words'); raise SystemExit(4)"
    code, output = container.python(script)
    assert code == 4
    assert container.failure == "my own words"
    assert "my own words" in output


def test_files_of_an_earlier_run_are_not_trusted(container):
    Path(container.paths.failure).write_text("old words", encoding="utf-8")
    Path(container.paths.success).write_text("", encoding="utf-8")
    code, _ = container.python("raise SystemExit(2)")
    assert code == 2
    assert "old words" not in container.failure
    assert not container.success
    code, _ = container.python("pass")
    assert code == 0
    assert container.failure is None


def test_an_empty_failure_file_of_the_script_is_filled(container):
    code, _ = container.python(f"open({container.paths.failure!r}, 'w'); 1 / 0")
    assert code == 1
    assert container.failure.startswith("ZeroDivisionError: division by zero")


def test_stdout_and_stderr_keep_their_order(container):
    script = (
        "import sys\n"
        "for n in range(500):\n"
        "    print('out', n)\n"
        "    print('err', n, file=sys.stderr)\n"
    )
    _, output = container.python(script)
    said = [line for line in output.splitlines() if line.startswith(("out", "err"))]
    assert said == [f"{stream} {n}" for n in range(500) for stream in ("out", "err")]


def test_bytes_pass_unchanged(container):
    data = bytes(range(256)) * 4096
    script = "import os; [os.write(1, bytes(range(256))) for _ in range(4096)]"
    with container.start("--", sys.executable, "-c", script) as process:
        output, _ = process.communicate(timeout=60)
    assert output.endswith(data)


def test_a_handled_sigterm_ends_with_the_scripts_own_code(container):
    script = (
        "import signal, sys, time\n"
        "def save(*_): print('saved'); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, save)\n"
        "print('ready')\n"
        "time.sleep(60)\n"
    )
    code, output = container.stop_when_it_says(b"\nready\n", signal.SIGTERM, script)
    assert code == 0
    assert "saved" in output
    assert container.failure is None
    assert container.success


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2"])
def test_signals_reach_the_whole_group(container, name):
    script = (
        "import os, signal, sys, time\n"
        f"number = signal.{name}\n"
        "child = os.fork()\n"
        "who = 'parent' if child else 'child'\n"
        "def on(*_):\n"
        "    os.write(1, (who + ' got it\\n').encode())\n"
        "    if child: os.waitpid(child, 0)\n"
        "    os._exit(0)\n"
        "signal.signal(number, on)\n"
        "if child: time.sleep(0.2); print('ready')\n"
        "time.sleep(60)\n"
    )
    code, output = container.stop_when_it_says(b"\nready\n", signal.Signals[name], script)
    assert code == 0
    assert "parent got it" in output
    assert "child got it" in output


def test_a_stop_is_told_as_a_stop(container):
    script = "print('epoch failed: error: nothing'); print('ready'); import time; time.sleep(60)"
    code, _ = container.stop_when_it_says(b"\nready\n", signal.SIGTERM, script)
    assert code == 143
    assert container.failure.startswith("Stopped: SIGTERM was received and ended the program")
    assert "error" not in container.failure.splitlines()[0]


def test_an_interrupt_is_not_told_as_an_exception(container):
    code, _ = container.stop_when_it_says(
        b"\nready\n", signal.SIGINT, "import time; print('ready'); time.sleep(60)"
    )
    assert code == 130
    assert container.failure.startswith("Stopped: SIGINT was received")
    assert "KeyboardInterrupt" not in container.failure.splitlines()[0]


def test_a_process_left_behind_does_not_hold_the_end_up(container, kill_later):
    script = (
        "import subprocess\n"
        "left = subprocess.Popen(['sleep', '60'])\n"
        "print('pid', left.pid)\n"
        "print('last words')\n"
    )
    before = time.monotonic()
    with container.start("--", sys.executable, "-uc", script) as process:
        assert process.wait(timeout=30) == 0
        took = time.monotonic() - before
        output = process.stdout.read1(1 << 16).decode() if process.stdout else ""
        pid = int(re.search(r"pid (\d+)", output).group(1))
        kill_later(pid)
    assert took < 20
    assert "last words" in output


def test_a_process_left_behind_that_never_stops_talking(container):
    """Only what the pipe holds when the child ends is read: else the drain would never end."""
    script = "import subprocess; subprocess.Popen(['yes']); import time; time.sleep(0.2)"
    before = time.monotonic()
    with container.start("--", sys.executable, "-c", script) as process:
        while process.stdout.read(1 << 16) and process.poll() is None:
            pass
        assert process.wait(timeout=30) == 0
    assert time.monotonic() - before < 20


def test_a_reader_that_goes_away_does_not_end_the_training(container):
    script = "import time\nfor n in range(300): print('x' * 1000)\ntime.sleep(0.2)"
    with container.start("--", sys.executable, "-uc", script) as process:
        process.stdout.close()
        assert process.wait(timeout=30) == 0
    assert container.success


def test_a_log_that_nobody_reads_does_not_hold_a_signal_up(container, tmp_path):
    """The supervisor is stuck in a write; the stop must reach the script all the same."""
    full, saved = tmp_path / "full", tmp_path / "saved"
    script = (
        "import os, pathlib, signal, threading, time\n"
        f"def save(*_): pathlib.Path({str(saved)!r}).touch(); os._exit(0)\n"
        "signal.signal(signal.SIGTERM, save)\n"
        f"threading.Timer(0.7, pathlib.Path({str(full)!r}).touch).start()\n"
        "while True: os.write(1, b'x' * 65536)\n"
    )
    with container.start("--", sys.executable, "-uc", script) as process:
        assert appears(full)
        process.send_signal(signal.SIGTERM)
        assert appears(saved)
        process.communicate(timeout=30)
    assert process.returncode == 0


def appears(path: Path, seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.02)
    return path.exists()


def test_the_child_has_default_signal_handling(container):
    """SIGPIPE in particular, which Python ignores and shells' pipes need."""
    code, output = container.run("--", "sh", "-c", "yes | head -n 1; echo after")
    assert code == 0
    assert "after" in output
    assert "Broken pipe" not in output


def test_a_command_that_is_not_there(container):
    code, _ = container.run("--", "no-such-program")
    assert code == 1
    assert container.failure.startswith("Can't run no-such-program: No such file or directory")


def test_output_folder_is_made_when_missing(container):
    Path(container.paths.output).rmdir()
    code, _ = container.python("raise SystemExit(9)")
    assert code == 9
    assert "code 9" in container.failure


def test_a_failure_file_that_cannot_be_written_goes_to_the_log(container):
    Path(container.paths.output).rmdir()
    Path(container.paths.output).write_text("a file where a folder should be", encoding="utf-8")
    code, output = container.python("raise ValueError('told anyway')")
    assert code == 1
    assert "can't write" in output
    assert output.count("ValueError: told anyway") >= 2


def test_the_supervisors_own_fault_is_a_failure_too(container):
    """B7.2: nothing leaves the container green."""
    code, output = container.run("--", "true", PYTHONPATH=str(_broken_package(container)))
    assert code == 1
    assert "supervisor failed" in container.failure
    assert "broken on purpose" in output


def _broken_package(container) -> Path:
    """A copy of the package whose supervisor raises: a real fault in a real process."""
    target = Path(container.paths.root) / "broken"
    source = Path(__file__).parents[3] / "src" / "sagedock"
    for part in ("__init__.py", "errors.py"):
        (target / "sagedock").mkdir(parents=True, exist_ok=True)
        shutil.copy(source / part, target / "sagedock" / part)
    for part in ("contract", "runtime"):
        shutil.copytree(source / part, target / "sagedock" / part)
    module = target / "sagedock" / "runtime" / "supervisor.py"
    text = module.read_text(encoding="utf-8")
    broken = text.replace(
        "        self._child = os.fork()", "        raise OSError('broken on purpose')"
    )
    assert broken != text
    module.write_text(broken, encoding="utf-8")
    return target
