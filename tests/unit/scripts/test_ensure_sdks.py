"""docker/ensure-sdks.sh: an environment for each of AWS's clients, and nothing done twice."""

import shutil

import pytest

PYTHON = """#!{bash}
echo "python $0 $*" >>"{log}"
case "$*" in
  "-m venv "*) mkdir -p "$3/bin"; cat "$0" >"$3/bin/python"; chmod 755 "$3/bin/python" ;;
  "-m pip install"*) [ -e "{folder}/offline" ] && echo "no route to the index" && exit 1; exit 0 ;;
esac
"""


@pytest.fixture
def machine(machine):
    """The project's environment is there; `tests/sdk` has three files of requirements."""
    requirements = machine.repository / "tests" / "sdk"
    requirements.mkdir(parents=True)
    for name in ("v2", "v3", "cli"):
        (requirements / f"requirements-{name}.txt").write_text(f"{name}==1\n")
    project = machine.repository / ".venv" / "bin"
    project.mkdir(parents=True)
    text = PYTHON.format(bash=shutil.which("bash"), log=machine.log, folder=machine.folder)
    (project / "python").write_text(text)
    (project / "python").chmod(0o755)
    script = machine.repository / "docker" / "ensure-python.sh"
    script.write_text(f"#!{shutil.which('bash')}\necho .venv\n")
    return machine


def installs(machine):
    return [call for call in machine.calls("python") if "pip install" in call]


def test_all_of_them_and_each_once(machine):
    done = machine.run("ensure-sdks.sh")
    assert done.stdout.split() == [".venv-sdk-v2", ".venv-sdk-v3", ".venv-sdk-cli"], done.stderr
    assert [call.split()[-1] for call in installs(machine)] == [
        f"tests/sdk/requirements-{name}.txt" for name in ("v2", "v3", "cli")
    ]
    again = machine.run("ensure-sdks.sh")
    assert (again.stdout, again.stderr) == (done.stdout, "")
    assert len(installs(machine)) == 3


def test_one_is_made_anew_when_its_requirements_change(machine):
    machine.run("ensure-sdks.sh", "v2", "cli")
    (machine.repository / "tests/sdk/requirements-v2.txt").write_text("v2==2\n")
    (machine.repository / ".venv-sdk-v2" / "old").write_text("")
    done = machine.run("ensure-sdks.sh", "v2", "cli")
    assert done.stdout.split() == [".venv-sdk-v2", ".venv-sdk-cli"]
    assert len(installs(machine)) == 3
    assert not (machine.repository / ".venv-sdk-v2" / "old").exists()


def test_an_unknown_name_is_told(machine):
    done = machine.run("ensure-sdks.sh", "v4")
    assert done.returncode == 1
    assert "known: v2 v3 cli" in done.stderr


def test_a_download_that_fails_is_told_and_tried_again(machine):
    offline = machine.folder / "offline"
    offline.touch()
    done = machine.run("ensure-sdks.sh", "v2")
    assert done.returncode == 1
    assert "no route to the index" in done.stderr
    assert "PIP_INDEX_URL" in done.stderr
    offline.unlink()
    assert machine.run("ensure-sdks.sh", "v2").stdout == ".venv-sdk-v2\n"
