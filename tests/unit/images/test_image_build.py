"""Choosing a client and building with it: real subprocesses, clients that are small scripts."""

import os
import stat
import time
from pathlib import Path

import pytest
from fake_clients import BUILDX, BUILDX_OLD, INSIDE, NO_BUILDX, NOT_INSIDE, Machine

from sagedock.errors import BuildError, EngineUnavailableError
from sagedock.images import IMAGES, Wishes, build
from sagedock.images.clients import candidates
from sagedock.images.plan import OS_IMAGE

PAIR = ("training", "processing")
"""With what they stand on, four images."""


@pytest.fixture
def machine(tmp_path) -> Machine:
    machine = Machine(tmp_path)
    machine.image(OS_IMAGE, "sha256:os")
    return machine


@pytest.fixture
def root(tmp_path) -> Path:
    root = tmp_path / "repository"
    for spec in IMAGES.values():
        for entry in spec.inputs:
            path = root / entry / "file"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(entry)
    for name in IMAGES:
        folder = root / "containers" / name
        folder.mkdir(exist_ok=True)
        (folder / "Dockerfile").write_text("FROM x\nRUN --mount=type=secret,id=y z\n")
    return root


def run(machine, root, *names, environ=None, **more):
    environ = {**machine.environ, **(environ or {})}
    return build(names or ("base",), root=root, version="1.0", environ=environ, **more)


def test_programs_are_listed_once_each_in_path_order(tmp_path):
    folders = [tmp_path / name for name in ("a", "b", "c", "empty")]
    for folder in folders:
        folder.mkdir()
    for name in ("a", "c"):
        (tmp_path / name / "docker").write_text("#!/bin/sh\n")
        (tmp_path / name / "docker").chmod(0o755)
    (tmp_path / "b" / "docker").symlink_to(tmp_path / "a" / "docker")
    (tmp_path / "empty" / "docker").write_text("no program")
    path = os.pathsep.join(["", *map(str, folders)])
    assert candidates(path) == (f"{tmp_path}/a/docker", f"{tmp_path}/c/docker")


def test_buildx_is_preferred_wherever_it_is(machine, root):
    machine.client(NO_BUILDX, INSIDE)
    second = machine.client(BUILDX)
    run(machine, root)
    assert machine.builds[0].startswith(
        f"{second} [] buildx build --builder my-context --output=type=docker,"
        "oci-mediatypes=false,rewrite-timestamp=true --provenance=false --sbom=false "
    )


def test_an_older_buildx_is_not_given_options_it_lacks(machine, root):
    machine.client(BUILDX_OLD)
    run(machine, root)
    assert "rewrite-timestamp=true --progress=plain " in machine.builds[0]


def test_a_client_with_buildkit_inside_will_do(machine, root):
    machine.client(NO_BUILDX, NOT_INSIDE)
    second = machine.client(NO_BUILDX, INSIDE)
    run(machine, root)
    assert machine.builds[0].startswith(f"{second} [1] build --progress=plain ")


def test_without_any_the_plugin_is_named(machine, root):
    first = machine.client(NO_BUILDX, NOT_INSIDE)
    with pytest.raises(BuildError, match="can't use BuildKit") as caught:
        run(machine, root)
    assert first in caught.value.message
    assert "docker-buildx-plugin" in caught.value.hint


def test_no_docker_at_all(machine, root):
    with pytest.raises(EngineUnavailableError, match="no docker client") as caught:
        run(machine, root)
    assert "ensure-engine.sh" in caught.value.hint


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock.", "ensure-engine.sh"),
        ("permission denied while trying to connect to the socket", "usermod -aG docker"),
    ],
)
def test_an_engine_that_can_not_be_used(machine, root, words, hint):
    machine.client(script=f"#!/bin/bash\necho '{words}' >&2\nexit 1\n")
    with pytest.raises(EngineUnavailableError, match=words[:20]) as caught:
        run(machine, root)
    assert hint in caught.value.hint


def test_a_missing_os_image_is_told_before_anything_is_built(machine, root):
    machine.client(BUILDX)
    (machine.state / OS_IMAGE).unlink()
    with pytest.raises(BuildError, match=OS_IMAGE) as caught:
        run(machine, root)
    assert "ensure-base.sh" in caught.value.hint
    assert machine.builds == []


def test_everything_below_is_built_first(machine, root):
    machine.client(BUILDX)
    built = run(machine, root, "training")
    assert [image.name for image in built] == ["base", "pandas", "training"]
    assert all(image.fresh and image.size == 1000 for image in built)
    assert built[2].tags == ("sagedock/training:1.0", "sagedock/training:latest")
    assert "--build-arg PARENT=sagedock/pandas:1.0 " in machine.builds[2]


def test_a_second_run_builds_nothing_and_is_quick(machine, root):
    machine.client(BUILDX)
    first = run(machine, root, *PAIR)
    started = time.monotonic()
    second = run(machine, root, *PAIR)
    assert time.monotonic() - started < 3
    assert len(machine.builds) == 4
    assert [(i.id, i.fresh) for i in second] == [(i.id, False) for i in first]


@pytest.mark.parametrize(
    ("changed", "rebuilt"),
    [
        ("containers/base/file", ["base", "pandas", "training", "processing"]),
        ("containers/pandas/file", ["pandas", "training", "processing"]),
        ("src/sagedock/runtime/file", ["training"]),
        ("containers/processing/file", ["processing"]),
    ],
)
def test_a_change_rebuilds_what_stands_on_it(machine, root, changed, rebuilt):
    machine.client(BUILDX)
    run(machine, root, *PAIR)
    (root / changed).write_text("changed")
    assert [image.name for image in run(machine, root, *PAIR) if image.fresh] == rebuilt


def test_another_os_image_rebuilds_all(machine, root):
    machine.client(BUILDX)
    run(machine, root, *PAIR)
    machine.image(OS_IMAGE, "sha256:newer")
    assert all(image.fresh for image in run(machine, root, *PAIR))


def test_a_lost_tag_is_made_again(machine, root):
    machine.client(BUILDX)
    run(machine, root)
    (machine.state / "sagedock_base:latest").unlink()
    assert run(machine, root)[0].fresh


def test_force_builds_anyway(machine, root):
    machine.client(BUILDX)
    run(machine, root)
    assert run(machine, root, force=True)[0].fresh


def test_a_platform_is_passed_on(machine, root):
    machine.client(BUILDX)
    run(machine, root, wishes=Wishes(platform="linux/arm64"))
    assert " --platform linux/arm64 " in machine.builds[0]


def test_secrets_are_files_that_are_gone_afterwards(machine, root, tmp_path):
    bundle = tmp_path / "ca.pem"
    bundle.write_text("x")
    machine.client(BUILDX)
    address = "https://me:hidden@index.invalid/simple"
    proxy = "http://me:hidden@proxy.invalid:1"
    environ = {"SSL_CERT_FILE": str(bundle), "PIP_INDEX_URL": address, "https_proxy": proxy}
    run(machine, root, environ=environ)
    assert f"--secret id=ca_bundle,src={bundle} " in machine.builds[0]
    assert "--build-arg https_proxy " in machine.builds[0]
    assert "hidden" not in machine.builds[0]
    path, value = next(c for c in machine.calls if c.startswith("secret ")).split()[1:]
    assert value == address
    assert not Path(path).exists()
    assert not Path(path).parent.exists()


def test_a_secrets_folder_is_ours_alone(machine, root):
    seen = []
    listing = 'all="$*"; rest="${all##*id=pip_index,src=}"; echo "file ${rest%% *}"'
    machine.client(BUILDX, build=f'{listing}; build "$@"')

    def report(line):
        if line.startswith("file "):
            path = Path(line.split()[1])
            seen.append((path.read_text(), stat.S_IMODE(path.parent.stat().st_mode)))

    run(machine, root, environ={"PIP_INDEX_URL": "https://index.invalid"}, report=report)
    assert seen == [("https://index.invalid", 0o700)]


def test_a_bundle_that_is_not_there_is_told(machine, root):
    machine.client(BUILDX)
    with pytest.raises(BuildError, match=r"/nowhere/ca\.pem does not exist") as caught:
        run(machine, root, environ={"SSL_CERT_FILE": "/nowhere/ca.pem"})
    assert "SSL_CERT_FILE" in caught.value.hint


def test_lines_are_reported_without_noise(machine, root):
    output = (
        r'printf "#1 [build 1/2] RUN x\n#1 sha256:aa\n\n#1 0.3 hello\n#1 DONE 1s\n"; build "$@"'
    )
    machine.client(BUILDX, build=output)
    lines = []
    run(machine, root, report=lines.append)
    assert lines == [
        "building sagedock/base:1.0",
        "#1 [build 1/2] RUN x",
        "#1 0.3 hello",
        "#1 DONE 1s",
    ]


FAILURE = r"""printf '#5 [build 2/3] RUN pip install x
#5 0.9 line %s
' {1..40} >&2; echo '------
 > [build 2/3] RUN pip install x:
------
executor failed running [/bin/sh -c pip install x]: exit code: 1' >&2; exit 1"""


def test_a_failure_names_image_step_and_last_lines(machine, root):
    machine.client(BUILDX, build=FAILURE)
    with pytest.raises(BuildError) as caught:
        run(machine, root)
    first, *rest = caught.value.message.splitlines()
    assert "sagedock/base could not be built" in first
    assert "[build 2/3] RUN pip install x" in first
    assert len(rest) == 20
    assert rest[-1].endswith("exit code: 1")
    assert caught.value.exit_code == 14


def test_an_interruption_ends_the_client(machine, root):
    mark = machine.folder / "ended"
    waiting = (
        f'trap "echo ended >{mark}; exit 1" TERM; echo started;'
        " for i in {1..600}; do read -t 0.1 <> <(:); done"
    )
    machine.client(BUILDX, build=waiting)

    def interrupt(line):
        if line == "started":
            raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run(machine, root, report=interrupt)
    assert time.monotonic() - started < 10
    assert mark.exists()
