"""docker/ensure-compose.sh: leaves one that the SDKs would use alone, installs one, or says how."""

import pytest

APT = 'case "$*" in *install*) touch "{there}" ;; esac'
INSTALLED = '[ -e "{there}" ] && echo "docker-compose version 1.29.2" && exit 0; exit 127'


@pytest.mark.parametrize(
    ("plugin", "program"),
    [("Docker Compose version v2.30.1", None), (None, "docker-compose version 1.29.2")],
)
def test_one_that_is_there_is_left_alone(machine, plugin, program):
    machine.has("docker", f"echo '{plugin}'" if plugin else "exit 1")
    if program:
        machine.has("docker-compose", f"echo '{program}'")
    machine.has("apt-get", "exit 1")
    done = machine.run("ensure-compose.sh")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert machine.calls("apt-get") == []


@pytest.mark.parametrize("answer", ["echo 'Docker Compose version v5.0.0'", "exit 1"])
def test_what_the_sdks_would_not_use_is_not_enough(machine, answer):
    there = machine.folder / "there"
    machine.is_root()
    machine.has("docker", answer)
    machine.has("docker-compose", INSTALLED.format(there=there))
    machine.has("apt-get", APT.format(there=there))
    done = machine.run("ensure-compose.sh")
    assert done.returncode == 0, done.stderr
    assert "docker-compose" in machine.calls("apt-get")[-1]


@pytest.mark.parametrize(("root", "system"), [(False, "Linux"), (True, "Darwin")])
def test_where_nothing_can_be_installed_the_next_step_is_told(machine, root, system):
    if root:
        machine.is_root()
    machine.has("uname", f"echo {system}")
    machine.has("docker", "exit 1")
    machine.has("apt-get", "exit 0")
    done = machine.run("ensure-compose.sh")
    assert done.returncode == 1
    assert "apt-get install docker-compose" in done.stderr
    assert machine.calls("apt-get") == []


def test_an_installation_that_fails_is_told(machine):
    machine.is_root()
    machine.has("docker", "exit 1")
    machine.has("apt-get", 'case "$*" in *install*) echo "no such package"; exit 100 ;; esac')
    done = machine.run("ensure-compose.sh")
    assert done.returncode == 1
    assert "no such package" in done.stderr
    assert "could not be installed" in done.stderr
