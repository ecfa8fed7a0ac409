"""docker/ensure-engine.sh: leaves an engine alone, starts one, or says what to do."""

import os
import signal
import time
from pathlib import Path

import pytest

DEAD = 'echo "Cannot connect to the Docker daemon. Is it running?" >&2; exit 1'


@pytest.fixture
def engine(machine):
    """An engine that answers once the file `up` is there; dockerd makes it."""
    up = machine.folder / "up"
    machine.has("docker", f'[ -e "{up}" ] && echo 20.10 && exit 0; {DEAD}')
    return up


def serve(machine, up):
    # its own session, and which descriptors it was handed
    machine.has(
        "dockerd",
        f'echo "starting up"; ls -l /proc/$$/fd >"{machine.folder}/fds"; touch "{up}";'
        f' echo $$ >"{machine.folder}/pid"; sleep 30',
    )


@pytest.fixture
def stop(machine):
    yield
    pid = machine.folder / "pid"
    if pid.exists():
        os.killpg(int(pid.read_text()), signal.SIGKILL)


def run(machine, **variables):
    log = str(machine.folder / "dockerd.log")
    return machine.run("ensure-engine.sh", SAGEDOCK_ENGINE_LOG=log, **variables)


def test_an_engine_that_answers_is_left_alone(machine):
    machine.is_root()
    machine.has("docker", "echo 28.0")
    machine.has("dockerd", "exit 1")
    machine.has("apt-get", "exit 1")
    done = run(machine)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert machine.calls("dockerd") == machine.calls("apt-get") == []


def test_any_client_on_path_will_do(machine, tmp_path):
    machine.has("docker", "echo broken >&2; exit 1")
    other = tmp_path / "other"
    other.mkdir()
    (other / "docker").write_text("#!/bin/sh\necho 28.0\n")
    (other / "docker").chmod(0o755)
    assert run(machine, PATH=f"{machine.bin}:{other}").returncode == 0


def test_no_permission(machine):
    machine.has("docker", 'echo "Got permission denied while trying to connect" >&2; exit 1')
    machine.has("apt-get", "exit 1")
    done = run(machine)
    assert done.returncode == 1
    assert "somebody may not use it" in done.stderr
    assert "sudo usermod -aG docker somebody" in done.stderr
    assert machine.calls("apt-get") == []


def test_an_engine_elsewhere_is_not_replaced_by_one_here(machine):
    machine.is_root()
    machine.has("docker", DEAD)
    machine.has("apt-get", "exit 1")
    done = run(machine, DOCKER_HOST="tcp://nowhere:1")
    assert done.returncode == 1
    assert "DOCKER_HOST is tcp://nowhere:1" in done.stderr
    assert "Is it running?" in done.stderr
    assert machine.calls("apt-get") == []


def test_without_root(machine):
    machine.has("apt-get", "exit 1")
    done = run(machine)
    assert done.returncode == 1
    assert "needs root" in done.stderr
    assert "sudo " in done.stderr
    assert machine.calls("apt-get") == []


def test_on_macos(machine):
    machine.has("uname", "echo Darwin")
    done = run(machine)
    assert done.returncode == 1
    assert "Docker Desktop" in done.stderr
    assert "colima" in done.stderr


def test_without_apt(machine):
    machine.is_root()
    done = run(machine)
    assert done.returncode == 1
    assert "no apt" in done.stderr
    assert "buildx" in done.stderr


@pytest.mark.usefixtures("stop")
@pytest.mark.parametrize("known", ["", "docker-cli docker-buildx"])
def test_docker_is_installed_and_started(machine, engine, known):
    machine.is_root()
    machine.has("apt-cache", f'case " {known} " in *" ${{@: -1}} "*) echo Package ;; esac')
    dockerd = machine.folder / "dockerd"
    serve(machine, engine)
    (machine.bin / "dockerd").rename(dockerd)
    machine.has("apt-get", f'case " $* " in *" install "*) mv "{dockerd}" "{machine.bin}/" ;; esac')
    done = run(machine)
    assert done.returncode == 0, done.stderr
    assert machine.calls("apt-get")[-1].endswith(f"docker.io iptables {known}".strip())
    assert "Docker 20.10 answers" in done.stderr


def test_an_installation_that_fails_shows_why(machine):
    machine.is_root()
    machine.has("apt-cache", "true")
    machine.has(
        "apt-get", 'case " $* " in *" install "*) echo "E: no such thing"; exit 100 ;; esac'
    )
    done = run(machine)
    assert done.returncode == 1
    assert "E: no such thing" in done.stderr
    assert "apt-get install docker.io" in done.stderr


@pytest.mark.usefixtures("stop")
def test_dockerd_outlives_the_script_and_not_its_lock(machine, engine):
    machine.is_root()
    serve(machine, engine)
    assert run(machine).returncode == 0
    pid = int((machine.folder / "pid").read_text())
    assert os.getsid(pid) == pid
    descriptors = (machine.folder / "fds").read_text()
    assert ".lock" not in descriptors
    assert "dockerd.log" in descriptors
    before = time.monotonic()
    assert run(machine).returncode == 0
    assert time.monotonic() - before < 5
    assert len(machine.calls("dockerd")) == 1


@pytest.mark.usefixtures("stop")
def test_two_at_once_start_one(machine, engine):
    machine.is_root()
    serve(machine, engine)
    log = str(machine.folder / "dockerd.log")
    both = [machine.start("ensure-engine.sh", SAGEDOCK_ENGINE_LOG=log) for _ in range(2)]
    assert [(p.communicate(timeout=60), p.returncode)[1] for p in both] == [0, 0]
    assert len(machine.calls("dockerd")) == 1


@pytest.mark.usefixtures("engine")
def test_a_dockerd_that_ends_shows_its_last_words(machine):
    machine.is_root()
    machine.has("dockerd", 'echo "failed to start daemon: no iptables"; exit 1')
    done = run(machine)
    assert done.returncode == 1
    assert "no iptables" in done.stderr
    assert "dockerd.log" in done.stderr


@pytest.mark.usefixtures("engine")
def test_a_dockerd_that_never_answers_is_ended(machine):
    machine.is_root()
    pid = machine.folder / "hanging"
    machine.has("dockerd", f'echo $$ >"{pid}"; echo thinking; exec sleep 60')
    done = run(machine, SAGEDOCK_ENGINE_SECONDS="1")
    assert done.returncode == 1
    assert "does not answer after 1 s" in done.stderr
    assert "thinking" in done.stderr
    time.sleep(0.2)
    assert not is_running(int(pid.read_text()))


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
