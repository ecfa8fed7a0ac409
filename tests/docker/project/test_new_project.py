"""A new project, from an empty folder and a wheel: what its README tells people to type works.

Nothing of the repository is there but the wheel that is made of it.
"""

import json
import os
import re
import sys
import uuid
from pathlib import Path

import pytest
from readme_kit import Shell, commands, remove_images

ROOT = Path(__file__).parents[3]
ACTIVATE = ". .venv/bin/activate\n"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """A folder that pip finds sagedock in, as it would at an index."""
    folder = tmp_path_factory.mktemp("wheels")
    pip = f"{sys.executable} -m pip wheel --quiet --disable-pip-version-check"
    Shell(ROOT).done(f"{pip} --no-deps --wheel-dir {folder} .")
    return folder


@pytest.fixture(scope="module")
def empty(tmp_path_factory, wheels):
    """A shell in an empty folder, outside of any repository; images named after the test go."""
    links = " ".join(filter(None, [str(wheels), os.environ.get("PIP_FIND_LINKS", "")]))
    variables = {
        "PIP_FIND_LINKS": links,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "SAGEDOCK_DATA": str(tmp_path_factory.mktemp("data")),
    }
    return Shell(tmp_path_factory.mktemp("empty"), variables)


@pytest.fixture(scope="module")
def name(images):
    name = f"new-{uuid.uuid4().hex[:8]}"
    yield name
    remove_images(name)


@pytest.fixture(scope="module")
def project(empty, name):
    """The project as `sagedock init` of the wheel has made it, with what its README wants once."""
    empty.done("python3 -m venv first && first/bin/pip install --quiet sagedock")
    said = empty.done(f"first/bin/sagedock init {name}")
    assert f"{name}/README.md" in said
    shell = Shell(empty.folder / name, empty.variables)
    shell.done(commands(readme(shell), "Once"))
    return shell


def readme(shell: Shell) -> str:
    return (shell.folder / "README.md").read_text()


@pytest.fixture(scope="module")
def every_day(project):
    """What the commands of every day have said."""
    return project.done(ACTIVATE + commands(readme(project), "Every day"))


def test_it_builds_trains_and_passes_its_tests_at_once(every_day, name):
    for part in ("training", "processing", "serving"):
        assert f"{name}-{part}:latest" in every_day
    assert "Status    Completed\n" in every_day
    accuracy = re.search(r"^Metric    accuracy = ([\d.]+)$", every_day, re.M)
    assert accuracy
    assert float(accuracy[1]) > 0.9
    assert re.search(r"^=* ?16 passed in ", every_day, re.M)


def test_the_wheel_makes_the_very_images_of_the_repository(project, every_day, images):
    found = json.loads(project.done(f"{ACTIVATE}sagedock build --json {' '.join(images)}"))
    assert {image["name"] for image in found} == set(images)
    assert not any(image["fresh"] for image in found)


def test_a_script_that_changes_makes_one_layer_anew(project, every_day, name):
    script = project.folder / "training" / "train.py"
    script.write_text(script.read_text() + "# changed\n")
    (built,) = json.loads(project.done(f"{ACTIVATE}sagedock build --json {name}-training"))
    assert built["fresh"]


def test_a_package_more_is_locked_and_built(project, every_day, name, docker_cli):
    project.done(f"{ACTIVATE}pip install --quiet uv")
    assert project.done(f"{ACTIVATE}sagedock lock").count(", as it was\n") == 3
    source = project.folder / "containers" / "training" / "requirements.in"
    before = source.read_text()
    source.write_text(f"{before}humanize\n")
    stale = project.run(f"{ACTIVATE}sagedock build {name}-training")
    assert (stale.returncode, "requirements.lock is stale" in stale.stderr) == (14, True)
    project.done(f"{ACTIVATE}sagedock lock && sagedock build {name}-training")
    run = ("run", "--rm", f"{name}-training", "python3", "-c", "import humanize, tabulate")
    assert docker_cli(*run).returncode == 0
    source.write_text(before)
    project.done(f"{ACTIVATE}sagedock lock")


def test_it_processes_and_trains_with_what_came_of_it(project, every_day):
    said = project.done(ACTIVATE + commands(readme(project), "Process"))
    assert said.count("Status    Completed\n") == 2
    assert (project.folder / "out" / "test" / "test.csv").is_file()


def test_it_serves(project, every_day):
    model = re.search(r"^Model     (\S+)$", every_day, re.M)
    assert model
    script = commands(readme(project), "Serve").replace("MODEL", model[1])
    assert '"species": "Adelie"' in project.done(ACTIVATE + script)


def test_its_image_is_pushed_and_trains_on_aws(project, every_day, name):
    Shell(ROOT).done("docker/ensure-registry.sh")
    said = project.done(f'{ACTIVATE}{commands(readme(project), "On AWS")}echo "from $image"\n')
    assert re.search(rf"^from \S+/{name}-training:\S+$", said, re.M)
    assert "Status    Completed\n" in said
    assert "Uploaded to s3://sagemaker-" in said


def test_its_linters_have_nothing_to_say(project):
    said = project.done(f"{ACTIVATE}make lint")
    assert "All checks passed!" in said
    assert "shellcheck build_and_push.sh" in said


def test_a_part_alone_passes_its_tests(empty, project, images):
    name = f"new-{uuid.uuid4().hex[:8]}"
    empty.done(f"first/bin/sagedock init {name} --only serving")
    activate = f". {project.folder}/.venv/bin/activate\n"
    try:
        shell = Shell(empty.folder / name, empty.variables)
        said = shell.done(activate + commands(readme(shell), "Every day"))
        assert re.search(r"^=* ?7 passed in ", said, re.M)
    finally:
        remove_images(name)


def test_a_project_on_another_image_builds_trains_and_passes_its_tests(empty, project, images):
    name = f"new-{uuid.uuid4().hex[:8]}"
    empty.done(f"first/bin/sagedock init {name} --from-image {images['pandas']}")
    activate = f". {project.folder}/.venv/bin/activate\n"
    try:
        shell = Shell(empty.folder / name, empty.variables)
        said = shell.done(f"{activate}sagedock build {name}-serving\n")  # its parent comes first
        said = shell.done(activate + commands(readme(shell), "Every day"))
        assert f"{name}-base:latest" in said
        assert re.search(r"^=* ?16 passed in ", said, re.M)
    finally:
        remove_images(name)
