"""`docker login`, `push` and `pull` against the real registry, and jobs with what was pushed."""

import base64
import http.client
import json
import os
import signal
import subprocess
import time
import uuid
from dataclasses import replace
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

from sagedock.local.client import LocalSageMaker
from sagedock.local.records import Kind
from sagedock.local.settings import LocalSettings
from sagedock.server.http import Listener
from sagedock.server.registry.engine import RegistryEngine
from sagedock.server.registry.local import LocalRegistry

ROOT = Path(__file__).parents[3]
ACCOUNT = "123456789012"
TRAIN = """\
FROM debian:bookworm-slim
LABEL once={once}
RUN printf '#!/bin/sh\\necho trained {mark}\\nmkdir -p /opt/ml/model\\necho {mark} > \
/opt/ml/model/mark\\n' > /usr/local/bin/train && chmod +x /usr/local/bin/train
"""


@pytest.fixture(scope="module", autouse=True)
def program() -> str:
    """The registry's program, installed where it is not."""
    found = subprocess.run(
        [ROOT / "docker" / "ensure-registry.sh"], capture_output=True, text=True, check=True
    )
    return found.stdout.strip()


@pytest.fixture
def settings(tmp_path):
    machine = LocalSettings.from_environment(data=tmp_path / "data")
    return LocalSettings(**vars(machine) | {"account": ACCOUNT})


@pytest.fixture
def registry(settings):
    made = LocalRegistry(settings)
    made.start()
    yield made
    made.close()


@pytest.fixture
def ecr(registry):
    listener = Listener(("127.0.0.1", 0), registry.service)
    thread = listener.start()
    client = boto3.client(
        "ecr", endpoint_url=f"http://127.0.0.1:{listener.server_port}", region_name="us-east-1",
        aws_access_key_id="a", aws_secret_access_key="b",
        config=Config(retries={"max_attempts": 0, "mode": "standard"}, proxies={}),
    )  # fmt: skip
    yield client
    client.close()
    listener.shutdown()
    listener.server_close()
    thread.join()


@pytest.fixture
def docker(tmp_path, docker_cli):
    """The docker command with a configuration of its own: nobody is logged in there."""
    made: list[str] = []

    def run(*arguments, stdin="", check=True):
        done = subprocess.run(
            ["docker", *arguments], input=stdin, capture_output=True, text=True, check=False,
            env={**os.environ, "DOCKER_CONFIG": str(tmp_path / "docker"), "DOCKER_BUILDKIT": "0"},
        )  # fmt: skip
        assert not check or not done.returncode, f"{arguments}: {done.stdout}{done.stderr}"
        if arguments[0] == "build":
            made.append(docker_cli("images", "-q", "--no-trunc", arguments[2]).stdout.strip())
        return done

    yield run
    docker_cli("rmi", "-f", *dict.fromkeys(made), check=False)


def build(docker, uri, mark):
    """An image of its own for each call: what is removed afterwards is nobody else's."""
    docker("build", "-t", uri, "-", stdin=TRAIN.format(mark=mark, once=uuid.uuid4().hex))
    return uri


def login(docker, ecr):
    (data,) = ecr.get_authorization_token()["authorizationData"]
    user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    address = data["proxyEndpoint"].removeprefix("http://")
    return docker("login", "-u", user, "--password-stdin", address, stdin=password)


def wait_for(client, name):
    end = time.monotonic() + 120
    while client.job(Kind.TRAINING, name).is_running:
        assert time.monotonic() < end
        time.sleep(0.1)
    return client.describe_training_job(TrainingJobName=name)


def test_what_is_pushed_is_pulled_and_trains(registry, ecr, docker, settings, tmp_path):
    uri = ecr.create_repository(repositoryName="team/model")["repository"]["repositoryUri"]
    build(docker, f"{uri}:v1", "one")
    refused = docker("push", f"{uri}:v1", check=False)
    assert refused.returncode
    assert "login" in refused.stderr or "no basic auth credentials" in refused.stderr
    assert "Login Succeeded" in login(docker, ecr).stdout
    pushed = docker("push", f"{uri}:v1").stdout
    (found,) = ecr.describe_images(repositoryName="team/model")["imageDetails"]
    assert found["imageDigest"] in pushed
    assert found["imageTags"] == ["v1"]
    assert found["imageSizeInBytes"] > 10 << 20
    docker("rmi", "-f", f"{uri}:v1")
    assert found["imageDigest"] in docker("pull", f"{uri}:v1").stdout
    docker("rmi", "-f", f"{uri}:v1")

    # A job pulls it without anybody's login, by the URI that it has on AWS.
    image = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/team/model:v1"
    machine = replace(settings, registry=registry.address)
    client = LocalSageMaker(machine, engine=RegistryEngine.connecting(registry))
    client.store.create_bucket("bucket")
    name = f"pushed-{uuid.uuid4().hex[:8]}"
    client.create_training_job(
        TrainingJobName=name,
        AlgorithmSpecification={"TrainingImage": image, "TrainingInputMode": "File"},
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/Any",
        OutputDataConfig={"S3OutputPath": "s3://bucket/out"},
        ResourceConfig={
            "InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1
        },
        StoppingCondition={"MaxRuntimeInSeconds": 60},
    )  # fmt: skip
    job = wait_for(client, name)
    assert job["TrainingJobStatus"] == "Completed", job
    assert job["AlgorithmSpecification"]["TrainingImage"] == image
    assert [line.text for line in client.logs(client.job(Kind.TRAINING, name))] == ["trained one"]
    client.close()


def test_a_tag_that_may_not_move_stops_a_push(ecr, docker):
    made = ecr.create_repository(repositoryName="fixed", imageTagMutability="IMMUTABLE")
    uri = made["repository"]["repositoryUri"]
    login(docker, ecr)
    build(docker, f"{uri}:v1", "one")
    docker("push", f"{uri}:v1")
    docker("push", f"{uri}:v1")
    build(docker, f"{uri}:v1", "two")
    refused = docker("push", f"{uri}:v1", check=False)
    assert refused.returncode
    assert "cannot be overwritten because the tag is immutable" in refused.stderr
    docker("tag", f"{uri}:v1", f"{uri}:v2")
    docker("push", f"{uri}:v2")


def test_a_repository_that_is_missing_is_told(registry, ecr, docker):
    login(docker, ecr)
    uri = build(docker, f"{registry.address}/nowhere:v1", "one")
    refused = docker("push", uri, check=False)
    assert refused.returncode
    assert "The repository with name 'nowhere' does not exist" in refused.stderr
    refused = docker("pull", f"{registry.address}/nowhere:v2", check=False)
    assert refused.returncode


def test_a_server_that_is_killed_leaves_its_registry_to_the_next(settings, registry, ecr, docker):
    uri = ecr.create_repository(repositoryName="kept")["repository"]["repositoryUri"]
    login(docker, ecr)
    build(docker, f"{uri}:v1", "one")
    docker("push", f"{uri}:v1")
    state = settings.data / "registry" / "registry.json"
    before = json.loads(state.read_text())
    second = LocalRegistry(settings)  # as if the first were gone, but for its port
    try:
        assert second._program.address == ("127.0.0.1", before["port"])
        assert json.loads(state.read_text()) == before
    finally:
        second.close()  # ends the one that it found
    docker("push", f"{uri}:v1")  # the first starts a new one
    assert registry._program.address[1]
    assert json.loads(state.read_text())["pid"] != before["pid"]


def ask(registry, method, path, body=b""):
    """The status of one request to the registry, with a good token."""
    login = registry.login()
    token = base64.b64encode(f"{login['username']}:{login['password']}".encode()).decode()
    connection = http.client.HTTPConnection(registry.address, timeout=30)
    try:
        connection.request(method, path, body=body, headers={"Authorization": f"Basic {token}"})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def test_no_request_that_passes_on_is_a_fault(registry, ecr):
    ecr.create_repository(repositoryName="r1")
    digest = f"sha256:{'0' * 64}"
    paths = [
        f"/v2/r1/blobs/{digest}", "/v2/r1/blobs/uploads/", "/v2/r1/blobs/uploads/x",
        "/v2/r1/blobs/uploads/00000000-0000-0000-0000-000000000000", f"/v2/r1/blobs/{digest}?x=%zz",
        "/v2/r1/blobs/uploads/x?_state=%00", f"/v2/r1/blobs/uploads/?digest={digest}",
        "/v2/r1/blobs/uploads/?digest=sha256:0", f"/v2/r1/blobs/uploads/?mount={digest}&from=r1",
        "/v2/r1/blobs/uploads/?mount=..&from=r1",
    ]  # fmt: skip
    methods = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE")
    found = {
        (method, path): ask(registry, method, path, body)
        for method in methods
        for path in paths
        for body in (b"", b"x", bytes(3 << 20) if method == "PATCH" else b"{")
    }
    assert {key: status for key, status in found.items() if status >= 500} == {}


def test_a_registry_that_dies_is_started_anew(settings, registry, ecr, docker):
    uri = ecr.create_repository(repositoryName="again")["repository"]["repositoryUri"]
    login(docker, ecr)
    build(docker, f"{uri}:v1", "one")
    docker("push", f"{uri}:v1")
    state = settings.data / "registry" / "registry.json"
    before = json.loads(state.read_text())["pid"]
    os.kill(before, signal.SIGKILL)
    docker("tag", f"{uri}:v1", f"{uri}:v2")
    docker("push", f"{uri}:v2")
    assert ecr.describe_images(repositoryName="again")["imageDetails"][0]["imageTags"] == [
        "v1", "v2",
    ]  # fmt: skip
    assert json.loads(state.read_text())["pid"] != before


def test_layers_go_when_their_image_has_gone(settings, ecr, docker):
    uri = ecr.create_repository(repositoryName="gone")["repository"]["repositoryUri"]
    images = settings.data / "registry" / "images"
    registry = LocalRegistry(settings)
    registry.close()

    def size():
        return sum(path.stat().st_size for path in images.rglob("*") if path.is_file())

    login(docker, ecr)
    build(docker, f"{uri}:v1", "one")
    docker("push", f"{uri}:v1")
    full = size()
    ecr.batch_delete_image(repositoryName="gone", imageIds=[{"imageTag": "v1"}])
    registry = LocalRegistry(settings)
    registry._program.address  # noqa: B018  (found running)
    registry.close()
    registry = LocalRegistry(settings)
    registry._program.address  # noqa: B018  (started anew)
    registry.close()
    assert size() < full / 10
