"""`sagedock build` in the real engine: secrets, budgets, what is rebuilt and what is the same."""

import hashlib
import json
import os
import shutil
import uuid
from pathlib import Path

import pytest
from build_kit import layers

DOCKERFILE = """\
FROM {base}
COPY requirements.txt /app/requirements.txt
RUN cp /app/requirements.txt /app/installed
COPY train.py /app/train.py
"""


@pytest.fixture
def folder(tmp_path, images) -> Path:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE.format(base=images["base"]))
    # The builder may remember several results of the same step, from earlier runs without cache.
    (tmp_path / "requirements.txt").write_text(f"a==1  # {uuid.uuid4()}\n")
    (tmp_path / "train.py").write_text("print(1)\n")
    return tmp_path


def test_only_what_changed_is_built_anew(builds, folder):
    """A script's change makes one layer new, a dependency's those from it on."""
    name = builds.name("change:1")
    first = builds.build(str(folder), "-t", name)
    assert [layer["instruction"] for layer in first["layers"]][-3:] == [
        "COPY requirements.txt /app/requirements.txt",
        "RUN cp /app/requirements.txt /app/installed",
        "COPY train.py /app/train.py",
    ]
    (folder / "train.py").write_text("print(2)\n")
    script = builds.build(str(folder), "-t", name)["change"]
    assert [layer["instruction"] for layer in script["added"]] == ["COPY train.py /app/train.py"]
    assert script["reused"] == len(first["layers"]) - 1
    (folder / "requirements.txt").write_text(f"a==2  # {uuid.uuid4()}\n")
    both = builds.build(str(folder), "-t", name)["change"]["added"]
    # The last layer holds the same file: within one second even its digest is the same.
    assert [layer["instruction"].split()[0] for layer in both][:2] == ["COPY", "RUN"]
    assert not builds.build(str(folder), "-t", name)["change"]["added"]


def test_a_script_of_ours_changes_the_last_layer_only(builds, tmp_path, images, docker_cli):
    """The project's training image, built from a copy of its files with another `train`."""
    from shutil import copytree, ignore_patterns

    import sagedock
    from sagedock.images import find_root
    from sagedock.images.build import Builder
    from sagedock.images.plan import BuildPlan, proxy_names, secrets

    root = tmp_path / "repository"
    for part in ("containers", "src/sagedock"):
        copytree(find_root() / part, root / part, ignore=ignore_patterns("__pycache__"))
    script = root / "src/sagedock/runtime/train.py"
    script.write_text(script.read_text() + "\n# changed\n")
    plan = BuildPlan(
        context=root,
        dockerfile=root / "containers/training/Dockerfile",
        tags=(builds.name("ours:1"),),
        build_args={"PARENT": f"sagedock/pandas:{sagedock.__version__}"},
        forwarded=proxy_names(os.environ),
        secrets=secrets(os.environ),
        labels={},
    )
    builder = Builder(root=root, version="0", environ=os.environ, report=lambda line: None)
    changed = [layer.digest for layer in builder.execute("ours", plan).layers]
    document = json.loads(docker_cli("image", "inspect", images["training"]).stdout)[0]
    assert changed[:-1] == document["RootFS"]["Layers"][:-1]
    assert changed[-1] != document["RootFS"]["Layers"][-1]


TOKENS = {
    "file": "to-ken-of-a-file",
    "variable": "to-ken-of-a-variable",
    "pip_index": "https://aws:to-ken-of-an-index@index.invalid/simple/",
}


def test_secrets_of_the_command_line_stay_nowhere(builds, folder, docker_cli):
    name = builds.name("secrets:1")
    (folder / "token").write_text(TOKENS["file"])
    (folder / ".dockerignore").write_text("token\n")
    mounts = "".join(f" --mount=type=secret,id={one}" for one in TOKENS)
    checks = "".join(
        f" && test $(cat /run/secrets/{one} | sha256sum | cut -c1-64) ="
        f" {hashlib.sha256(token.encode()).hexdigest()}"
        for one, token in TOKENS.items()
    )
    with (folder / "Dockerfile").open("a") as file:
        file.write(f"RUN{mounts} true{checks} && touch /done\n")
    environ = {
        **os.environ, "VARIABLE": TOKENS["variable"], "PIP_INDEX_URL": TOKENS["pip_index"],
    }  # fmt: skip
    done = builds.sagedock(
        "build", str(folder), "-t", name, "--secret", f"id=file,src={folder}/token",
        "--secret", "id=variable,env=VARIABLE", environ=environ,
    )  # fmt: skip
    needles = [token.encode() for token in TOKENS.values()]
    history = docker_cli("history", "--no-trunc", name).stdout
    held = [path for _, path, content in layers(name) if any(n in content for n in needles)]
    assert held == []
    said = (done.stdout + done.stderr + history).encode()
    assert not [needle for needle in needles if needle in said]
    assert any(path == "done" for _, path, _ in layers(name))


def test_an_image_over_its_budget_does_not_take_the_tag(builds, folder, docker_cli):
    name = builds.name("budget:1")
    first = builds.build(str(folder), "-t", name)
    (folder / "train.py").write_text("x" * 2_000_000)
    budget = f"{(first['size'] + 1_000_000) / 1e6:.1f}MB"
    done = builds.sagedock("build", str(folder), "-t", name, "--budget", budget, check=False)
    assert done.returncode == 14
    assert "more than its budget of" in done.stderr
    assert "scipy (Python)" in done.stderr
    assert json.loads(docker_cli("image", "inspect", name).stdout)[0]["Id"] == first["id"]
    left = docker_cli("image", "ls", "--format", "{{.Tag}}", name.partition(":")[0]).stdout
    assert left.split() == ["1"]


def test_labels_say_what_it_is(builds, folder, docker_cli):
    name = builds.name("labels:2.0")
    builds.build(str(folder), "-t", name)
    document = json.loads(docker_cli("image", "inspect", name).stdout)[0]
    labels = document["Config"]["Labels"]
    assert labels["org.opencontainers.image.version"] == "2.0"
    assert labels["org.opencontainers.image.revision"] == ""
    assert (document["Architecture"], document["Os"]) == ("amd64", "linux")


ARM_PROGRAM = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xb7\x00" + bytes(44)
"""As much of a program for arm64 as a kernel looks at to refuse it."""


def test_arm64_is_built_where_nothing_has_to_run(builds, tmp_path, docker_cli):
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /x\n")
    name = builds.name("arm:1")
    builds.build(str(tmp_path), "-t", name, "--platform", "linux/arm64")
    document = json.loads(docker_cli("image", "inspect", name).stdout)[0]
    assert (document["Architecture"], document["Os"]) == ("arm64", "linux")


def test_programs_that_can_not_run_here_are_told(builds, tmp_path):
    (tmp_path / "sh").write_bytes(ARM_PROGRAM)
    (tmp_path / "sh").chmod(0o755)
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY sh /bin/sh\nRUN make\n")
    done = builds.sagedock(
        "build", str(tmp_path), "-t", builds.name("arm-run:1"), "--platform", "linux/arm64",
        check=False,
    )  # fmt: skip
    assert done.returncode == 14
    assert "hint: This engine can't run programs for linux/arm64" in done.stderr


def test_two_builds_hold_the_same_files(builds, images):
    """The project's pandas layer: packages installed and compiled anew."""
    done = builds.sagedock("build", "pandas", "--check-reproducible", "--json", "-q")
    found = json.loads(done.stdout)
    assert found["differences"] == []
    assert found["files"] > 5000


def test_a_build_that_differs_is_told(builds, folder):
    with (folder / "Dockerfile").open("a") as file:
        file.write(
            "RUN date +%N >/app/when && chmod 6$(date +%N | tail -c 3 | tr 89 76) /app/when\n"
        )
    name = builds.name("differs:1")
    done = builds.sagedock(
        "build", str(folder), "-t", name, "--check-reproducible", "-q", check=False
    )
    assert done.returncode == 1
    assert "/app/when: " in done.stdout


WITHOUT_BUILDKIT = """\
#!/bin/sh
case "$DOCKER_BUILDKIT $1" in "1 build" | *" buildx") exit 1 ;; esac
exec {docker} "$@"
"""


def test_the_classic_builder_is_used_with_a_warning_where_nothing_else_is(builds, folder):
    """A client that knows no BuildKit, before the real one."""
    program = folder / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(WITHOUT_BUILDKIT.format(docker=shutil.which("docker")))
    program.chmod(0o755)
    (folder / ".dockerignore").write_text("bin\n")
    environ = {**os.environ, "PATH": f"{program.parent}"}
    name = builds.name("classic:1")
    done = builds.sagedock("build", str(folder), "-t", name, "--json", environ=environ)
    assert "warning: no BuildKit here" in done.stderr
    image = json.loads(done.stdout)[0]
    assert image["client"] == "classic builder"
    assert image["layers"][-1]["instruction"].endswith("in /app/train.py")
    with (folder / "Dockerfile").open("a") as file:
        file.write("RUN --mount=type=cache,target=/c true\n")
    refused = builds.sagedock("build", str(folder), "-t", name, check=False, environ=environ)
    assert refused.returncode == 14
    assert "needs BuildKit (RUN --mount)" in refused.stderr


def test_progress_is_plain_where_there_is_no_terminal(builds, folder):
    name = builds.name("plain:1")
    done = builds.sagedock("build", str(folder), "-t", name)
    assert f"building {name}\n" in done.stderr
    assert "\x1b" not in done.stderr
    assert "BUDGET" in done.stdout.splitlines()[0]
