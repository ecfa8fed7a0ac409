"""`build_and_push.sh` and `sagedock push` as people call them, against this machine's ECR."""

import json
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SAGEDOCK = str(Path(sys.executable).with_name("sagedock"))


@pytest.fixture
def here(tmp_path):
    """Runs a program against AWS on this machine, on a data folder of the test's own."""
    subprocess.run([ROOT / "docker" / "ensure-registry.sh"], capture_output=True, check=True)

    def run(*arguments):
        command = [SAGEDOCK, "--data", str(tmp_path / "data"), "run", "--", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def folder(tmp_path, docker_cli):
    """A folder with a Dockerfile whose image is no other's; its images go with the test."""
    name = f"push-{uuid.uuid4().hex[:8]}"
    place = tmp_path / name
    place.mkdir()
    (place / "Dockerfile").write_text(
        f"FROM debian:bookworm-slim\nRUN echo {name} > /mark\nCMD cat /mark\n"
    )
    yield place
    docker_cli("image", "rm", "--force", f"{name}:latest", check=False)


def test_a_folder_is_built_and_pushed_and_the_second_time_nothing_is_sent(here, folder, docker_cli):
    first = here(ROOT / "build_and_push.sh", folder, "v1")
    assert first.returncode == 0, first.stderr
    uri = first.stdout.strip()
    assert uri.endswith(f"/{folder.name}:v1")
    assert "made the repository" in first.stderr
    names = docker_cli("images", "--format", "{{.Repository}}").stdout.splitlines()
    assert uri.rpartition(":")[0] not in names  # the engine is left as it was
    again = here(SAGEDOCK, "push", folder.name, "v1", "--json")
    assert again.returncode == 0, again.stderr
    found = json.loads(again.stdout)
    assert (found["uri"].rpartition("/")[2], found["sent"]) == (f"{folder.name}:v1", False)
    assert found["digest"] in first.stderr


def test_the_image_is_looked_into_and_bad_ones_are_kept_back(here, folder):
    (folder / "Dockerfile").write_text(
        "FROM debian:bookworm-slim\nENV HF_TOKEN=hf_abcdef\nRUN mkdir /root/.ssh && echo "
        "'-----BEGIN PRIVATE KEY-----' > /root/.ssh/id_rsa\nRUN rm /root/.ssh/id_rsa && printf "
        "'#!/bin/sh\\r\\n' > /usr/bin/serve && chmod +x /usr/bin/serve\n"
    )
    refused = here(ROOT / "build_and_push.sh", folder, "v1", "--json")
    assert refused.returncode == 14, refused.stderr
    for words in (
        "error: HF_TOKEN is in ENV",
        "/root/.ssh/id_rsa holds a secret, taken away later but still in layer 2",
        "/usr/bin/serve has the line ends of Windows",
    ):
        assert words in refused.stderr
    assert "made the repository" not in refused.stderr
    looked = here(SAGEDOCK, "push", folder.name, "--dry-run", "--no-checks", "--json")
    assert (looked.returncode, json.loads(looked.stdout)) == (0, {})
    assert f"it would go to ECR/{folder.name}:" in looked.stderr
    pushed = here(SAGEDOCK, "push", folder.name, "v1", "--no-checks", "--json")
    assert pushed.returncode == 0, pushed.stderr
    assert json.loads(pushed.stdout)["sent"]


def test_a_uri_is_a_place_and_what_a_model_uses_stays(here, folder):
    """Each call is a server of its own on the same data; the account is this machine's."""
    uri = f"000000000000.dkr.ecr.us-east-1.amazonaws.com/team/{folder.name}"
    first = here(SAGEDOCK, "push", "--build", folder, f"{uri}:v1", "--json")
    assert first.returncode == 0, first.stderr
    found = json.loads(first.stdout)
    assert found["uri"].endswith(f"/team/{folder.name}:v1")
    assert (found["account"], found["region"]) == ("000000000000", "us-east-1")
    assert found["capabilities"] == {}
    assert "A1.1,D1.1" in {one["rows"] for one in found["findings"]}
    model = (
        "import boto3; boto3.client('sagemaker').create_model(ModelName='m', PrimaryContainer="
        f"{{'Image': '{uri}:v1'}}, ExecutionRoleArn='arn:aws:iam::000000000000:role/Any')"
    )
    assert here(sys.executable, "-c", model).returncode == 0
    for number in (2, 3):
        (folder / "Dockerfile").write_text(
            f"FROM debian:bookworm-slim\nRUN echo {folder.name}-{number} > /mark\n"
        )
        more = ["--prune", "--keep", "1", "--yes"] if number == 3 else []
        done = here(SAGEDOCK, "push", "--build", folder, f"{uri}:v{number}", "--json", *more)
        assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["pruned"]) == 1
    assert "used by model m" in done.stderr
    left = here(SAGEDOCK, "push", "--prune", "--repository", f"team/{folder.name}", "--keep", "9",
                "--dry-run", "--json")  # fmt: skip
    assert json.loads(left.stdout) == {"pruned": []}


def test_a_tag_that_is_taken_stays_what_it_is(here, folder, images):
    assert here(ROOT / "build_and_push.sh", folder, "v1").returncode == 0
    (folder / "Dockerfile").write_text("FROM debian:bookworm-slim\nRUN echo other > /mark\n")
    other = here(ROOT / "build_and_push.sh", folder, "v1")
    assert other.returncode == 11
    assert "names another image" in other.stderr
    latest = here(ROOT / "build_and_push.sh", folder, "latest")
    assert latest.returncode == 2
    assert "does not go into a repository" in latest.stderr
    mutable = here(
        SAGEDOCK, "push", folder.name, "latest", "--repository", "free", "--mutable-tags"
    )
    assert mutable.returncode == 0, mutable.stderr


def test_what_cannot_be_pushed_is_told(here, tmp_path):
    absent = here(SAGEDOCK, "push", "no-such-image")
    assert (absent.returncode, "no image 'no-such-image'" in absent.stderr) == (7, True)
    empty = tmp_path / "empty"
    empty.mkdir()
    nothing = here(ROOT / "build_and_push.sh", empty)
    assert (nothing.returncode, "there is no" in nothing.stderr) == (14, True)
    assert here(ROOT / "build_and_push.sh").returncode == 2


def test_without_credentials_the_next_step_is_told(images, tmp_path):
    environment = {
        "PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    }  # fmt: skip
    done = subprocess.run(
        [SAGEDOCK, "push", images["processing"]],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 16
    assert "Who you are: Unable to locate credentials" in done.stderr
    assert "sagedock run -- <the same command>" in done.stderr
