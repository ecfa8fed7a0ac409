"""`sagedock doctor` with an engine: what it says of it, and that it leaves nothing behind."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SAGEDOCK = str(Path(sys.executable).with_name("sagedock"))


@pytest.fixture
def examined(tmp_path, images):
    """Check to finding of `sagedock doctor ARGUMENTS…` under the local AWS."""
    work = tmp_path / "work"
    (work / ".git").mkdir(parents=True)

    def run(*arguments, config=""):
        (work / "sagedock.toml").write_text(config)
        command = [SAGEDOCK, "--data", str(tmp_path / "data"), "run", "--",
                   SAGEDOCK, "doctor", "--json", *arguments]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=work)
        document = json.loads(done.stdout)
        assert document["ok"] == (done.returncode == 0), done.stderr
        return {item["check"]: item for item in document["findings"]}

    return run


def test_an_engine_is_looked_at_from_outside_and_from_within_a_container(examined, docker_cli):
    found = examined()
    assert found["engine"]["found"].startswith("Docker ")
    for check in ("engine", "storage driver", "memory", "engine clock", "base image",
                  "capabilities", "bridge", "docker client"):  # fmt: skip
        assert found[check]["level"] == "ok", found[check]
    assert "reaches this machine at host.docker.internal" in found["bridge"]["found"]
    assert "up to date" in found["sagedock's images"]["found"]  # `images` has built them
    left = docker_cli("ps", "--all", "--quiet", "--filter", "label=sagedock.doctor").stdout
    assert left == ""


def test_the_projects_images_and_account_are_looked_at(examined):
    found = examined(
        "--aws",
        config="region = 'eu-west-1'\nrole = 'Jobs'\n[images.doctor-none]\nplatform='linux/arm64'",
    )
    assert found["the project's images"]["remedy"] == "Build them: sagedock build doctor-none"
    assert found["role's trust"]["level"] == "ok"
    assert "`sagedock push` will make doctor-none" in found["ECR"]["found"]
    assert found["region"]["found"] == "eu-west-1"
