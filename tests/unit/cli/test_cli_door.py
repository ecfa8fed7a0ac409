"""The program as a whole: help, exit codes, lightness."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import sagedock as package
from sagedock.cli.group import COMMANDS

HEAVY = {"boto3", "botocore", "docker", "isal", "numpy", "pandas", "requests", "rich", "sqlite3"}
PROGRAM = Path(sys.executable).with_name("sagedock")


def imported(code: str) -> set[str]:
    """Top-level modules that are loaded after `code`."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules, file=sys.stderr)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.partition(".")[0] for name in done.stderr.split()}


def test_importing_sagedock_imports_nothing_heavy():
    assert not imported("import sagedock") & HEAVY


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in COMMANDS)])
def test_help_imports_nothing_heavy(arguments):
    code = f"""
import sys
sys.argv = ['sagedock', *{arguments!r}]
from sagedock.cli.main import main
assert main() == 0"""
    assert not imported(code) & HEAVY


def test_help_is_quick():
    """By the processor's time, since a busy machine takes its own."""
    seconds = []
    for _ in range(5):
        before = os.times()
        subprocess.run([PROGRAM, "--help"], capture_output=True, check=True)
        after = os.times()
        seconds.append(
            after.children_user + after.children_system
            - before.children_user - before.children_system
        )  # fmt: skip
    assert min(seconds) < 0.2, seconds


def test_help_lists_every_command(sagedock):
    done = sagedock("--help")
    assert done.returncode == 0
    for name, text in COMMANDS.items():
        assert f"  {name} " in done.stdout
        assert text in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_a_commands_help_begins_as_the_table_says(sagedock, name):
    done = sagedock(name, "-h")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: sagedock {name} ")
    assert f"\n  {COMMANDS[name]}\n" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["trian"], "No such command 'trian'. Did you mean 'train'?"),
        (["zzzzz"], "No such command 'zzzzz'."),
        (["jobs", "--bogus"], "No such option"),
        (["jobs", "--status", "Finished"], "'Finished' is not one of"),
        (["logs"], "Missing argument 'NAME'"),
        (["logs", "x", "--tail", "-1"], "-1 is not in the range"),
        (["--data"], "requires an argument"),
    ],
)
def test_wrong_usage_exits_2(sagedock, arguments, words):
    done = sagedock(*arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stdout == ""


def test_version(sagedock, data):
    assert sagedock("--version").stdout == f"sagedock {package.__version__}\n"
    text = sagedock("version").stdout
    assert package.__version__ in text
    assert str(data) in text


def test_no_engine(sagedock):
    done = sagedock("train", "--image", "an/image")
    assert done.returncode == 6
    assert done.stdout == ""
    assert done.stderr.startswith("error: No Docker engine answers at unix:///nonexistent.sock.\n")
    assert "\nhint: Start Docker" in done.stderr


def test_a_data_folder_that_cannot_be_used(sagedock, work):
    (work / "file").touch()
    done = sagedock("--data", str(work / "file" / "below"), "jobs")
    assert done.returncode == 10
    assert "error: The data folder" in done.stderr
    assert "--data or SAGEDOCK_DATA" in done.stderr


def test_a_database_that_is_none(sagedock, data):
    data.mkdir()
    (data / "sagedock.db").write_text("this is not a database, but a text of some length " * 20)
    done = sagedock("jobs")
    assert done.returncode == 10
    assert "error: The database of the data folder" in done.stderr


def test_data_option_wins_over_environment(sagedock, jobs, tmp_path):
    assert "churn-train" in sagedock("jobs").stdout
    assert sagedock("--data", str(tmp_path / "other"), "jobs").stdout == ""


def test_a_reader_that_goes_away_is_no_error(jobs, tmp_path):
    log = jobs / "jobs" / "training" / "churn-train" / "logs" / "algo-1.log"
    log.write_text("2026-11-24T08:07:01.000000000Z a line\n" * 50_000)
    command = f"{PROGRAM} --data {jobs} logs churn-train 2>{tmp_path}/err | head -n 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False
    )
    assert (done.stdout, (tmp_path / "err").read_text()) == ("a line\n", "")
    assert done.returncode == 141


@pytest.mark.parametrize("arguments", [["x"], ["x", "1", "--body", "-"]])
def test_invoke_wants_one_body(sagedock, arguments):
    done = sagedock("invoke", *arguments)
    assert done.returncode == 2
    assert "Give either TEXT, --body FILE" in done.stderr


@pytest.mark.parametrize("arguments", [["invoke", "none", "1"], ["delete-endpoint", "none"]])
def test_an_unknown_endpoint_exits_12(sagedock, arguments):
    done = sagedock(*arguments)
    assert (done.returncode, done.stdout) == (12, "")
    assert "Could not find endpoint 'none'." in done.stderr
    assert "sagedock endpoints" in done.stderr
