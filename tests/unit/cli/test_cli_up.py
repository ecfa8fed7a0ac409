"""`sagedock up`, `down`, `status`, `env` and `run`, as somebody types them."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sagedock.local.process import Owner
from sagedock.server.running.state import FILE, running

PROGRAM = str(Path(sys.executable).with_name("sagedock"))
PORT = "--port=0"
CALLER = """
import botocore.session
session = botocore.session.get_session()
print(session.create_client("sts").get_caller_identity()["Account"])
print(session.create_client("sts", endpoint_url="https://sts.us-east-1.amazonaws.com")
      .get_caller_identity()["Arn"])
"""


def environment(data: Path, **more: str) -> dict[str, str]:
    here = {"SAGEDOCK_DATA": str(data), "DOCKER_HOST": "unix:///nonexistent.sock"}
    return {**os.environ, **here, **more}


def started(*command: str, data: Path, **options) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [PROGRAM, *command], env=environment(data), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, **options,
    )  # fmt: skip


def until(true, seconds: float = 20):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = true()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it does not come to be")


@pytest.fixture
def up(sagedock, data):
    """A server in the background; ended with its own command."""
    done = sagedock("up", "--detach", PORT)
    assert (done.returncode, done.stderr) == (0, "")
    yield running(data)
    sagedock("down")
    assert running(data) is None


# up, down, status


def test_up_in_the_background_and_down(sagedock, data):
    begun = time.monotonic()
    done = sagedock("up", "--detach", PORT)
    print(f"up --detach: {time.monotonic() - begun:.2f} s")
    state = running(data)
    assert state is not None
    assert state.endpoint in done.stdout
    assert (data / FILE).stat().st_mode & 0o777 == 0o600
    told = json.loads(sagedock("status", "--json").stdout)
    assert (told["Status"], told["Endpoint"], told["Pid"]) == ("Up", state.endpoint, state.pid)
    assert state.endpoint in sagedock("status").stdout
    again = sagedock("up", "--detach")
    assert again.returncode == 0
    assert "It runs already." in again.stdout
    other = sagedock("up", "--detach", "--port=1")
    assert (other.returncode, other.stderr.count("already")) == (11, 1)
    begun = time.monotonic()
    done = sagedock("down")
    print(f"down: {time.monotonic() - begun:.2f} s")
    assert done.returncode == 0
    assert not state.owner.is_alive()
    assert not (data / FILE).exists()
    assert sagedock("status").returncode == 1
    assert json.loads(sagedock("status", "--json").stdout) == {"Status": "Down", "Data": str(data)}
    assert "No server runs" in sagedock("down").stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_up_in_the_foreground_ends_on_a_signal(data, number):
    with started("up", PORT, data=data) as process:
        state = until(lambda: running(data))
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")
    assert state.endpoint in out
    assert "Jobs and endpoints go on" in out
    assert not (data / FILE).exists()


def test_a_server_that_was_killed_is_not_taken_for_one_that_runs(sagedock, data):
    with started("up", PORT, data=data) as process:
        until(lambda: running(data))
        process.kill()
    assert (data / FILE).exists()
    assert running(data) is None
    assert sagedock("status").returncode == 1
    assert sagedock("up", "--detach", PORT).returncode == 0
    assert sagedock("down").returncode == 0


def test_another_process_with_the_same_pid_is_left_alone(sagedock, data):
    sagedock("up", "--detach", PORT)
    document = json.loads((data / FILE).read_text())
    sagedock("down")
    with subprocess.Popen(["sleep", "60"]) as stranger:
        (data / FILE).write_text(json.dumps({**document, "pid": stranger.pid}))
        assert running(data) is None
        assert "No server runs" in sagedock("down").stdout
        assert stranger.poll() is None
        stranger.kill()


def test_one_server_for_a_data_folder(up, data, sagedock):
    done = sagedock("up", PORT)
    assert done.returncode == 11
    assert f"already at {up.endpoint} (pid {up.pid})" in done.stderr


@pytest.mark.parametrize("manner", [[], ["--detach"]])
def test_a_port_that_is_taken(sagedock, data, manner):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = sagedock("up", f"--port={port}", *manner)
    assert done.returncode == 11
    who = f"(pid {os.getpid()})"
    assert f"error: Port {port} of 127.0.0.1 is taken by " in done.stderr
    assert who in done.stderr
    assert f"hint: Choose another one: sagedock up --port {port + 1}" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--host=0.0.0.0"], "needs --token"), (["--host=0.0.0.0", "--token=short"], "too short")],
)
def test_other_machines_need_a_token(sagedock, arguments, words):
    done = sagedock("up", *arguments)
    assert done.returncode == 2
    assert words in done.stderr


def test_with_a_token_only_signed_requests_are_taken(sagedock, data):
    secret = "a secret of some length"
    sagedock("up", "--detach", PORT, "--host=0.0.0.0", env={"SAGEDOCK_TOKEN": secret})
    state = running(data)
    assert state is not None
    try:
        assert (state.wide, state.secret_key) == (True, secret)
        connection = http.client.HTTPConnection("127.0.0.1", state.port)
        connection.request("GET", "/", headers={"Host": "box.lan"})
        assert connection.getresponse().status == 403
        connection.close()
        assert sagedock("status").returncode == 0
        done = sagedock("run", "--", sys.executable, "-c", CALLER)
        assert done.stdout.splitlines()[0] == "000000000000"
    finally:
        sagedock("down")


def test_the_data_folder_may_be_named_after_the_command_too(sagedock, tmp_path):
    other = tmp_path / "other"
    told = json.loads(sagedock("status", "--json", f"--data={other}", env={}).stdout)
    assert told["Data"] == str(other)


# env


def shell(script: str, data: Path, **more: str) -> str:
    path = {"PATH": f"{Path(PROGRAM).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["/bin/sh", "-euc", script], env=environment(data, **path, **more), capture_output=True,
        text=True, check=True, timeout=60,
    )  # fmt: skip
    return done.stdout


def test_env_needs_a_server(sagedock):
    done = sagedock("env")
    assert (done.returncode, done.stdout) == (12, "")
    assert "sagedock up --detach" in done.stderr


def test_env_sets_a_shell_up_and_back(up, data):
    real = {"AWS_PROFILE": "prod", "AWS_SESSION_TOKEN": "it's real", "NO_PROXY": "corp"}
    before = shell("env | sort", data, **real)
    out = shell(
        f'eval "$(sagedock env)"; eval "$(sagedock env)"; {sys.executable} -c \'{CALLER}\'; '
        'echo "$AWS_ENDPOINT_URL $NO_PROXY ${AWS_PROFILE-none}"; '
        'eval "$(sagedock env --unset)"; echo ---; env | sort',
        data, **real,
    )  # fmt: skip
    inside, _, after = out.partition("---\n")
    account, arn, variables = inside.splitlines()
    assert account == "000000000000"
    assert arn.startswith("arn:aws:")
    assert variables == f"{up.endpoint} corp,127.0.0.1,localhost,::1 none"
    assert after == before


def test_unset_where_nothing_was_set(sagedock):
    done = sagedock("env", "--unset")
    assert (done.returncode, done.stdout) == (0, "")


def test_other_shells(up, sagedock):
    fish, power = (sagedock("env", "--shell", name).stdout for name in ("fish", "powershell"))
    assert f"set -gx AWS_ENDPOINT_URL '{up.endpoint}';" in fish
    assert f"$Env:AWS_ENDPOINT_URL = '{up.endpoint}';" in power


# run


def test_run_needs_no_server_and_leaves_none(sagedock, data):
    begun = time.monotonic()
    done = sagedock("run", "--", sys.executable, "-c", CALLER + "raise SystemExit(7)")
    print(f"run with two calls: {time.monotonic() - begun:.2f} s")
    assert (done.returncode, done.stderr) == (7, "")
    account, arn = done.stdout.splitlines()
    assert account == "000000000000"
    assert arn.startswith("arn:aws:")
    assert running(data) is None
    assert not (data / FILE).exists()


def test_run_uses_the_server_that_is_there(up, sagedock):
    done = sagedock("run", "sh", "-c", "echo $AWS_ENDPOINT_URL")
    assert done.stdout.strip() == up.endpoint
    assert up.owner.is_alive()


def test_run_in_run(sagedock, data):
    done = sagedock("run", PROGRAM, "run", sys.executable, "-c", CALLER)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("000000000000\n")


def test_input_and_output_are_the_programs_own(sagedock):
    done = sagedock("run", "--", "cat", stdin="line\n")
    assert done.stdout == "line\n"
    assert sagedock("run", "printf", "%s", "--help").stdout == "--help"


@pytest.mark.parametrize(
    ("command", "code"),
    [("exit 0", 0), ("exit 3", 3), ("kill -KILL $$", 137), ("kill -TERM $$", 143)],
)
def test_the_programs_exit_code(sagedock, command, code):
    assert sagedock("run", "sh", "-c", command).returncode == code


def test_a_program_that_is_not_there_or_none(sagedock, work):
    done = sagedock("run", "no-such-program")
    assert (done.returncode, done.stderr) == (
        127,
        "error: There is no program 'no-such-program'.\n",
    )
    (work / "text").write_text("no program")
    assert sagedock("run", "./text").returncode == 126


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGUSR1])
def test_signals_reach_the_program(data, number):
    script = f"trap 'echo caught; exit 9' {number}; echo ready; while :; do sleep 0.05; done"
    with started("run", "sh", "-c", script, data=data, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        out, _ = process.communicate(timeout=20)
    assert (process.returncode, out) == (9, "caught\n")


def test_a_program_that_a_signal_ends(data):
    with started("run", "sh", "-c", "echo $$; exec sleep 60", data=data) as process:
        assert process.stdout is not None
        child = Owner(pid=int(process.stdout.readline()), started="")
        process.terminate()
        process.communicate(timeout=20)
    assert process.returncode == 143
    assert not Path(f"/proc/{child.pid}").exists()


def test_ctrl_c_at_a_terminal_comes_once(data):
    """The terminal itself sends it to both; the program must not get it a second time."""
    script = "import signal, time\nn = 0\ndef on(*_):\n    global n\n    n += 1\n"
    script += "signal.signal(signal.SIGINT, on)\nprint('ready', flush=True)\n"
    script += "end = time.time() + 2\nwhile time.time() < end: time.sleep(0.05)\nprint('got', n)"
    command = [PROGRAM, "run", sys.executable, "-c", script]
    terminal = f"import os, pty; exit(os.waitstatus_to_exitcode(pty.spawn({command!r})))"
    with subprocess.Popen(
        [sys.executable, "-c", terminal], env=environment(data), stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, bufsize=0,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\r\n"
        process.stdin.write(b"\x03")
        text = process.stdout.read()
        assert process.wait(20) == 0
    assert b"got 1" in text
