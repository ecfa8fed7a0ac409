"""docker/ensure-python.sh: finds real interpreters, makes environments, and does nothing twice."""

import shutil

import pytest


@pytest.fixture
def machine(machine):
    (machine.repository / "pyproject.toml").write_text("[project]\n")
    return machine


def python(machine, version, *, folder=None, venv=True, pip="true"):
    """An interpreter of which only what the script asks works."""
    text = f"""#!{shutil.which("bash")}
echo "python$$ $0 $*" >/dev/null
case "$*" in
  *version_info*) echo {version} ;;
  *ensurepip*) {"exit 0" if venv else "exit 1"} ;;
  "-m venv "*) mkdir -p "$3/bin"; cat "$0" >"$3/bin/python"; chmod 755 "$3/bin/python" ;;
  "-m pip --version") ;;
  "-m pip install"*) echo "pip $0 $*" >>"{machine.log}"; {pip} ;;
  "-c ") ;;
  *) exit 9 ;;
esac
"""
    path = (folder or machine.bin) / f"python{version}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def shim(machine, version):
    path = machine.bin / f"python{version}"
    path.write_text("#!/bin/sh\necho 'version is not installed' >&2\nexit 127\n")
    path.chmod(0o755)


def version_of(machine, folder=".venv"):
    text = (machine.repository / folder / "bin/python").read_text()
    return next(v for v in ("3.11", "3.12", "3.13", "3.14") if f"echo {v} " in text)


def test_the_oldest_and_the_newest(machine):
    for version in ("3.12", "3.13", "3.11"):
        python(machine, version)
    assert machine.run("ensure-python.sh").stdout == ".venv\n"
    assert machine.run("ensure-python.sh", "newest").stdout == ".venv-newest\n"
    assert version_of(machine) == "3.11"
    assert version_of(machine, ".venv-newest") == "3.13"


def test_where_there_is_one_it_is_both(machine):
    python(machine, "3.12")
    assert machine.run("ensure-python.sh", "newest").stdout == ".venv\n"
    assert not (machine.repository / ".venv-newest").exists()


def test_shims_that_refuse_are_passed_over(machine):
    shim(machine, "3.11")
    shim(machine, "3.13")
    python(machine, "3.12")
    python(machine, "3.13", folder=machine.folder / ".pyenv/versions/3.13.1/bin")
    machine.run("ensure-python.sh")
    machine.run("ensure-python.sh", "newest")
    assert version_of(machine) == "3.12"
    assert version_of(machine, ".venv-newest") == "3.13"


def test_one_that_can_make_environments_is_preferred(machine):
    python(machine, "3.11", venv=False)
    python(machine, "3.11", folder=machine.folder / ".pyenv/versions/3.11.9/bin")
    done = machine.run("ensure-python.sh")
    assert done.returncode == 0, done.stderr


def test_nothing_is_done_twice_until_the_project_changes(machine):
    python(machine, "3.11")
    machine.run("ensure-python.sh")
    done = machine.run("ensure-python.sh")
    assert (done.stdout, done.stderr) == (".venv\n", "")
    assert len(machine.calls("pip")) == 1
    (machine.repository / "pyproject.toml").write_text("[project]\nname='x'\n")
    machine.run("ensure-python.sh")
    assert len(machine.calls("pip")) == 2


def test_an_environment_whose_python_is_gone_is_made_again(machine):
    python(machine, "3.11")
    machine.run("ensure-python.sh")
    (machine.repository / ".venv/bin/python").unlink()
    assert machine.run("ensure-python.sh").returncode == 0
    assert version_of(machine) == "3.11"


def test_no_python(machine):
    done = machine.run("ensure-python.sh")
    assert done.returncode == 1
    assert "no Python 3.11 or newer" in done.stderr
    assert "apt-get install python3 python3-venv" in done.stderr


def test_a_missing_ensurepip_is_named_by_its_package(machine):
    python(machine, "3.11", venv=False)
    done = machine.run("ensure-python.sh")
    assert done.returncode == 1
    assert "apt-get install python3.11-venv" in done.stderr
    assert not (machine.repository / ".venv").exists()


def test_root_on_debian_gets_ensurepip_installed(machine):
    machine.is_root()
    python(machine, "3.11", venv=False)
    machine.has("apt-get", "true")
    assert machine.run("ensure-python.sh").returncode == 0
    assert machine.calls("apt-get")[-1].endswith(" python3.11-venv")


def test_a_failed_installation_shows_why_and_is_tried_again(machine):
    python(machine, "3.11", pip="echo 'ERROR: No matching distribution'; exit 1")
    done = machine.run("ensure-python.sh")
    assert done.returncode == 1
    assert "No matching distribution" in done.stderr
    assert "PIP_INDEX_URL" in done.stderr
    machine.run("ensure-python.sh")
    assert len(machine.calls("pip")) == 2
