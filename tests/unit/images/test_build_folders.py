"""`sagedock build` as a program's call: clients are small scripts, the rest is real."""

import json
import subprocess
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from codeartifact_service import CodeArtifactService
from fake_clients import BUILDX, CLASSIC, INSIDE, NO_BUILDX, Machine

from sagedock.cli.build import build as build_command
from sagedock.errors import BuildError, SagedockError
from sagedock.images import Wishes, build_folder
from sagedock.images.plan import Secret


@pytest.fixture
def machine(tmp_path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def folder(tmp_path) -> Path:
    folder = tmp_path / "My Image"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY x /x\n")
    return folder


def run(machine, folder, *, environ=None, report=lambda line: None, **wishes):
    environ = {**machine.environ, **(environ or {})}
    return build_folder(folder, environ=environ, report=report, wishes=Wishes(**wishes))


def words(machine):
    return machine.builds[-1].split()


def test_a_folder_is_built_under_its_name_for_amd64(machine, folder):
    machine.client(BUILDX)
    built = run(machine, folder)
    assert built.tags == ("my-image:latest",)
    assert (machine.state / "my-image:latest").is_file()
    assert "linux/amd64" in words(machine)
    assert [p.name for p in machine.state.iterdir()] == ["my-image:latest"]


def test_all_that_can_be_asked_reaches_the_builder(machine, folder, tmp_path):
    machine.client(BUILDX)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "D").write_text("FROM scratch\n")
    run(
        machine, folder, tags=("my/a:1", "my/a:latest"), platform="linux/arm64",
        build_args={"A": "b=c"}, context=tmp_path, contexts={"more": "/m"},
        file=tmp_path / "other" / "D", target="stage", no_cache=True,
    )  # fmt: skip
    line = machine.builds[-1]
    for text in (
        f"--file {tmp_path}/other/D", "--platform linux/arm64", "--build-arg A=b=c",
        "--build-context more=/m", "--target stage", "--no-cache",
        "--label org.opencontainers.image.version=1 ",
    ):  # fmt: skip
        assert f" {text}" in line
    assert line.endswith(f" {tmp_path}")
    assert sorted(p.name for p in machine.state.iterdir()) == ["my_a:1", "my_a:latest"]


def test_contexts_by_name_need_buildx(machine, folder):
    machine.client(NO_BUILDX, INSIDE)
    with pytest.raises(BuildError, match=r"contexts \(more\) need buildx"):
        run(machine, folder, contexts={"more": "/m"})


def test_the_time_of_the_commit_is_the_latest_time_of_a_file(machine, folder):
    machine.client(BUILDX)
    (folder / "x").write_text("x")
    run(machine, folder, environ={"SOURCE_DATE_EPOCH": "1700000000"})
    assert "SOURCE_DATE_EPOCH=1700000000" in words(machine)
    commit = ("git", "-c", "user.name=a", "-c", "user.email=a@b.invalid", "commit", "-qm", "x",
              "--date", "@1600000000 +0000")  # fmt: skip
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    subprocess.run(["git", "add", "."], cwd=folder, check=True)
    when = {"PATH": "/usr/bin:/bin", "GIT_COMMITTER_DATE": "@1600000000 +0000"}
    subprocess.run(commit, cwd=folder, check=True, env=when)
    path = f"{machine.environ['PATH']}:/usr/bin"
    run(machine, folder, environ={"PATH": path})
    assert "SOURCE_DATE_EPOCH=1600000000" in words(machine)


def test_a_time_that_is_none_is_told(machine, folder):
    machine.client(BUILDX)
    with pytest.raises(SagedockError, match="SOURCE_DATE_EPOCH is 'today'"):
        run(machine, folder, environ={"SOURCE_DATE_EPOCH": "today"})


# ---- the budget --------------------------------------------------------------------------------


@pytest.fixture
def heavy(tmp_path) -> str:
    """An archive of an image's files, for the fake client to export."""
    path = tmp_path / "files.tar"
    with tarfile.open(path, "w") as archive:
        for name, size in (("opt/venv/lib/python3.11/site-packages/torch/a.so", 3000),
                           ("usr/share/doc/x", 10)):  # fmt: skip
            (tmp_path / "content").write_bytes(b"x" * size)
            archive.add(tmp_path / "content", name)
    return str(path)


def test_an_image_over_its_budget_gets_no_tag(machine, folder, heavy):
    machine.client(BUILDX)
    machine.image("my-image:latest", "sha256:last")
    environ = {"FAKE_SIZE": "450600000", "FAKE_FILES": heavy}
    with pytest.raises(BuildError) as caught:
        run(machine, folder, budget=450_000_000, environ=environ)
    first, *rest = caught.value.message.splitlines()
    assert "has 450.6 MB unpacked, 0.6 MB more than its budget of 450.0 MB" in first
    assert [line.split("MB")[1].strip() for line in rest] == ["torch (Python)", "/usr/share/doc"]
    assert "--budget" in caught.value.hint
    kept = json.loads((machine.state / "my-image:latest").read_text())
    assert kept[0]["Id"] == "sha256:last"
    assert [p.name for p in machine.state.iterdir()] == ["my-image:latest"]


def test_an_image_within_its_budget_is_tagged(machine, folder):
    machine.client(BUILDX)
    built = run(machine, folder, budget=450_000_000, environ={"FAKE_SIZE": "450000000"})
    assert built.budget == 450_000_000
    assert (machine.state / "my-image:latest").is_file()


# ---- what was built ----------------------------------------------------------------------------


def test_the_report_has_layers_and_what_changed(machine, folder):
    machine.client(BUILDX)
    first = run(machine, folder)
    assert [(layer.size, layer.instruction) for layer in first.layers] == [
        (400, "COPY x /x"),
        (600, "RUN make"),
    ]
    assert first.change is None
    second = run(machine, folder, environ={"FAKE_SIZE": "1300"})
    assert second.change is not None
    assert (second.change.size, second.change.reused, second.change.added) == (300, 2, ())


def test_an_image_for_another_platform_is_refused(machine, folder):
    machine.client(BUILDX.replace("echo", "echo"), build='build "$@" --platform linux/riscv64')
    with pytest.raises(BuildError, match="asked for linux/arm64, but what was built is for linux/"):
        run(machine, folder, platform="linux/arm64")
    assert list(machine.state.iterdir()) == []


def test_an_engine_that_can_not_run_a_platform_is_told(machine, folder):
    machine.client(BUILDX, build='echo "exec /bin/sh: exec format error"; exit 1')
    with pytest.raises(BuildError, match="could not be built") as caught:
        run(machine, folder, platform="linux/arm64")
    assert "can't run programs for linux/arm64" in caught.value.hint


def test_words_of_a_step_are_the_error(machine, folder):
    line = "#7 0.52 sagedock: error: there is no Python. | Install one."
    machine.client(BUILDX, build=f"echo '{line}'; exit 1")
    with pytest.raises(BuildError) as caught:
        run(machine, folder)
    assert caught.value.message.endswith("could not be built: there is no Python.")
    assert caught.value.hint == "Install one."


# ---- without BuildKit --------------------------------------------------------------------------


def test_the_classic_builder_is_the_last_choice_and_is_told(machine, folder):
    program = machine.client(NO_BUILDX, CLASSIC)
    lines = []
    bundle = folder / "ca.pem"
    bundle.write_text("x")
    environ = {"SSL_CERT_FILE": str(bundle), "PIP_INDEX_URL": "https://a:hidden@index.invalid"}
    built = run(machine, folder, environ=environ, report=lines.append)
    assert built.client == "classic builder"
    assert machine.builds[0].startswith(f"{program} [0] build --file ")
    assert not {"--secret", "--progress=plain", "--platform"} & set(words(machine))
    warning = next(line for line in lines if line.startswith("warning: no BuildKit here"))
    assert warning.endswith("not passed on: ca_bundle, pip_index")
    assert "hidden" not in "\n".join([*lines, *machine.calls])


@pytest.mark.parametrize(
    ("dockerfile", "wishes", "words"),
    [
        ("RUN --mount=type=secret,id=a b", {}, r"needs BuildKit \(RUN --mount\)"),
        ("RUN b", {"secrets": (Secret(id="a", value="b"),)}, "secrets a can't reach a build"),
        ("RUN b", {"platform": "linux/arm64"}, "makes images for linux/amd64 only"),
    ],
)
def test_what_the_classic_builder_can_not_do_is_refused(machine, folder, dockerfile, wishes, words):
    machine.client(NO_BUILDX, CLASSIC)
    (folder / "Dockerfile").write_text(f"FROM x\n{dockerfile}\n")
    with pytest.raises(BuildError, match=words) as caught:
        run(machine, folder, **wishes)
    assert "docker-buildx" in caught.value.hint
    assert machine.builds == []


def test_the_projects_own_images_need_buildkit(machine):
    from sagedock.images import build, find_root
    from sagedock.images.plan import OS_IMAGE

    machine.client(NO_BUILDX, CLASSIC)
    machine.image(OS_IMAGE, "sha256:os")
    with pytest.raises(BuildError, match=r"base/Dockerfile needs BuildKit \(RUN --mount\)"):
        build(["base"], root=find_root(), version="0", environ=machine.environ)


# ---- the command -------------------------------------------------------------------------------


@pytest.fixture
def command(machine, tmp_path, monkeypatch):
    for name in ("PIP_INDEX_URL", "SSL_CERT_FILE", "SAGEDOCK_CA_BUNDLE", "REQUESTS_CA_BUNDLE",
                 "SOURCE_DATE_EPOCH", "AWS_PROFILE", "AWS_REGION"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments):
        monkeypatch.setenv("PATH", machine.environ["PATH"])
        return CliRunner().invoke(build_command, arguments, catch_exceptions=False)

    return invoke


def test_a_folder_from_the_terminal(command, machine, folder):
    machine.client(BUILDX)
    done = command(str(folder), "-t", "my/a:1", "--budget", "2GB", "-q")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[1].split()[:3] == ["my/a:1", "0", "2000"]
    assert "by buildx" in done.stdout
    assert "COPY x /x" in done.stdout


def test_json_has_it_all(command, machine, folder, heavy, monkeypatch):
    machine.client(BUILDX)
    monkeypatch.setenv("FAKE_FILES", heavy)
    done = command(str(folder), "--json", "--why", "-q")
    image = json.loads(done.stdout)[0]
    assert image["tags"] == ["my-image:latest"]
    assert image["layers"][0]["instruction"] == "COPY x /x"
    assert image["weights"][0] == {"what": "torch (Python)", "size": 3000}


def test_images_of_the_configuration(command, machine, folder, tmp_path):
    machine.client(BUILDX)
    (tmp_path / "sagedock.toml").write_text(
        '[images.mine]\ncontext = "My Image"\nplatform = "linux/arm64"\nbudget = "300MB"\n'
        'target = "last"\n[images.mine.build-args]\nA = "1"\nB = "2"\n'
    )
    done = command("mine", "--build-arg", "B=3", "-q")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[1].split()[:3] == ["mine:latest", "0", "300"]
    line = machine.builds[-1]
    for text in ("--platform linux/arm64", "--build-arg A=1", "--build-arg B=3", "--target last"):
        assert f" {text} " in line
    assert command("mine", "--platform", "linux/amd64", "-q").exit_code == 0
    assert " --platform linux/amd64 " in machine.builds[-1]


def test_one_tag_for_several_images_is_refused(command, machine, folder):
    machine.client(BUILDX)
    done = command(str(folder), str(folder), "-t", "a:1")
    assert done.exit_code == 2
    assert "--tag names one image" in done.stderr


@pytest.fixture
def codeartifact(monkeypatch):
    service = CodeArtifactService(token="to-ken")
    monkeypatch.setenv("AWS_ENDPOINT_URL_CODEARTIFACT", service.address)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    with service:
        yield service


def test_codeartifact_is_pips_index_by_a_secret(command, machine, folder, codeartifact):
    machine.client(BUILDX)
    done = command(str(folder), "--codeartifact", "acme/team@111122223333", "--region", "eu-west-1")
    assert done.exit_code == 0, done.output
    secret = next(call for call in machine.calls if call.startswith("secret "))
    assert secret.split()[2] == (
        "https://aws:to-ken@acme-111122223333.d.codeartifact.eu-west-1.amazonaws.com"
        "/pypi/team/simple/"
    )
    assert "to-ken" not in done.output + "\n".join(machine.builds)
    assert codeartifact.asked == [
        ("GET", "/v1/repository/endpoint",
         {"domain": "acme", "domain-owner": "111122223333", "repository": "team",
          "format": "pypi"}),
        ("POST", "/v1/authorization-token",
         {"domain": "acme", "domain-owner": "111122223333", "duration": "3600"}),
    ]  # fmt: skip


def test_codeartifact_of_the_configuration(command, machine, folder, codeartifact, tmp_path):
    machine.client(BUILDX)
    (tmp_path / "sagedock.toml").write_text(
        'region = "eu-west-1"\n[images.mine]\ncontext = "My Image"\n'
        '[images.mine.codeartifact]\ndomain = "acme"\nrepository = "team"\n'
    )
    done = command("mine", "-q")
    assert done.exit_code == 0, done.output
    assert any("aws:to-ken@" in call for call in machine.calls if call.startswith("secret "))


def test_codeartifact_that_refuses_is_told(command, machine, folder, codeartifact):
    machine.client(BUILDX)
    codeartifact.refuse = True
    with pytest.raises(SagedockError, match="AccessDeniedException") as caught:
        command(str(folder), "--codeartifact", "acme/team", "--region", "eu-west-1")
    assert "codeartifact:GetAuthorizationToken" in caught.value.hint
    assert machine.builds == []
