"""Pushes that are broken off, refused or interrupted, with the real registry and a proxy that
breaks what passes."""

import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from push_kit import MEGA, Ground, ensure_program, local_names, make_image

from sagedock.engine.docker import Engine
from sagedock.errors import (
    AwsError,
    EngineError,
    ResourceInUseError,
    ResourceNotFoundError,
)
from sagedock.images.push import push

SAGEDOCK = str(Path(sys.executable).with_name("sagedock"))


@pytest.fixture(scope="module", autouse=True)
def program():
    return ensure_program()


@pytest.fixture
def ground(tmp_path, monkeypatch):
    with Ground(tmp_path / "data") as made:
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        yield made


@pytest.fixture
def engine():
    with contextlib.closing(Engine.connect()) as found:
        yield found


@pytest.fixture
def image(tmp_path, docker_cli):
    """An image of two layers of 3 MB; it goes with the test, and has no other name then."""
    name = f"push-{uuid.uuid4().hex[:8]}"
    make_image(tmp_path / "image", name)
    yield name
    left = {one for one in local_names() if one.split(":")[0].endswith(f"/{name}")}
    docker_cli("image", "rm", "--force", f"{name}:latest", *left, check=False)
    assert not left


def test_what_broke_off_goes_on_with_the_layers_that_are_missing(ground, engine, image):
    ground.registry.rule(r"PUT /v2/.*/manifests/", cut_up=10)
    lines = []
    done = push(image, "v1", engine=engine, registry=ground.ecr(), report=lines.append)
    assert done.sent
    assert sum("from where it broke off" in line for line in lines) == 1
    assert ground.registry.asked(r"PUT /v2/.*/blobs/uploads/") == 3  # two layers, a configuration
    assert 6 * MEGA < ground.registry.sent < 6.2 * MEGA
    assert done.layers == (2, 0)


def test_a_layer_that_broke_off_is_sent_again_and_no_other(ground, engine, image):
    ground.registry.rule(r"PATCH /v2/.*/blobs/uploads/", cut_up=MEGA)
    assert push(image, "v1", engine=engine, registry=ground.ecr()).layers == (2, 0)
    assert ground.registry.sent < 7.2 * MEGA  # two layers of 3 MB, and 1 MB for nothing


def test_the_second_push_uploads_nothing(ground, engine, image):
    first = push(image, "v1", engine=engine, registry=ground.ecr())
    uploads, sent = ground.registry.asked("(POST|PATCH|PUT) "), ground.registry.sent
    again = push(image, "v1", engine=engine, registry=ground.ecr())
    assert (again.sent, again.digest, ground.registry.sent) == (False, first.digest, sent)
    other = push(image, "v2", engine=engine, registry=ground.ecr())
    assert (other.layers, other.digest) == ((0, 2), first.digest)
    assert ground.registry.asked("(POST|PATCH|PUT) ") == uploads + 1  # the tag's manifest
    assert ground.registry.sent - sent < 8192


def test_a_token_that_has_ended_is_replaced(ground, engine, image):
    password, _ = ground.tokens.password(now=time.time() - 13 * 3600)
    data = {
        "authorizationToken": base64.b64encode(f"AWS:{password}".encode()).decode(),
        "expiresAt": time.time() - 3600, "proxyEndpoint": ground.registry.url,
    }  # fmt: skip
    ground.api.rule(
        "GetAuthorizationToken", status=200, headers={"Content-Type": "application/x-amz-json-1.1"},
        body=json.dumps({"authorizationData": [data]}).encode(),
    )  # fmt: skip
    lines = []
    assert push(image, "v1", engine=engine, registry=ground.ecr(), report=lines.append).sent
    assert "the registry's token has ended: going on with a new one" in lines
    assert ground.api.asked("GetAuthorizationToken") == 2


def denied(proxy, operation):
    words = f"User: arn:aws:iam::1:user/x is not authorized to perform: ecr:{operation}"
    proxy.rule(
        operation, status=400, headers={"Content-Type": "application/x-amz-json-1.1"},
        body=json.dumps({"__type": "AccessDeniedException", "message": words}).encode(),
    )  # fmt: skip


@pytest.mark.parametrize(
    "operation", ["CreateRepository", "GetAuthorizationToken", "BatchGetImage"]
)
def test_a_permission_that_is_missing_is_told(ground, engine, image, operation):
    denied(ground.api, operation)
    with pytest.raises(AwsError, match=f"not authorized to perform: ecr:{operation}") as told:
        push(image, "v1", engine=engine, registry=ground.ecr())
    assert "ecr:CompleteLayerUpload" in told.value.hint
    assert told.value.exit_code == 16


def test_a_permission_that_the_registry_misses_is_told(ground, engine, image):
    words = "User: arn:aws:iam::1:user/x is not authorized to perform: ecr:InitiateLayerUpload"
    error = {"errors": [{"code": "DENIED", "message": words}]}
    ground.registry.rule(
        r"POST /v2/.*/blobs/uploads/", status=403, times=100, body=json.dumps(error).encode(),
        headers={"Content-Type": "application/json"},
    )  # fmt: skip
    with pytest.raises(AwsError, match="not authorized to perform: ecr:InitiateLayerUpload"):
        push(image, "v1", engine=engine, registry=ground.ecr())


def test_rules_that_may_not_be_seen_stop_no_push(ground, engine, image):
    denied(ground.api, "DescribePullThroughCacheRules")
    assert push(image, "v1", engine=engine, registry=ground.ecr()).sent


def test_a_repository_that_goes_meanwhile_is_told(ground, engine, image):
    ground.client.create_repository(repositoryName=image)
    with pytest.raises(ResourceNotFoundError, match="does not exist"):
        push(image, "v1", engine=engine, registry=ground.ecr(),
             checks=lambda _: ground.client.delete_repository(repositoryName=image))  # fmt: skip


def test_a_tag_that_is_taken_meanwhile_is_told(ground, engine, image):
    push(image, "v1", engine=engine, registry=ground.ecr())
    (found,) = ground.client.batch_get_image(repositoryName=image, imageIds=[{"imageTag": "v1"}])[
        "images"
    ]
    other = json.dumps(json.loads(found["imageManifest"]))  # the same layers, another digest

    def taken(_):
        ground.client.put_image(repositoryName=image, imageManifest=other, imageTag="v2")

    with pytest.raises(ResourceInUseError, match="immutable"):
        push(image, "v2", engine=engine, registry=ground.ecr(), checks=taken)


def test_a_registry_that_is_gone_half_way_is_told(ground, engine, image):
    ground.registry.rule(r"PUT /v2/.*/manifests/", cut_up=10, times=100)
    lines = []
    with pytest.raises(EngineError, match=r"4 tries\)") as told:
        push(image, "v1", engine=engine, registry=ground.ecr(), report=lines.append)
    assert "layers that have arrived are not sent again" in told.value.hint
    assert len([line for line in lines if "; again in" in line]) == 3
    assert ground.client.list_images(repositoryName=image)["imageIds"] == []
    ground.registry.rule(r"PATCH", status=500, times=100)  # nothing is sent that is there
    with contextlib.suppress(EngineError):
        push(image, "v1", engine=engine, registry=ground.ecr())
    assert ground.registry.sent < 6.3 * MEGA


def test_ctrl_c_half_way_leaves_nothing(ground, image):
    slow = ground.registry.rule(r"PATCH /v2/", pause=3, times=2)
    process = subprocess.Popen(
        [SAGEDOCK, "push", image, "v1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **ground.environment},
    )  # fmt: skip
    end = time.monotonic() + 60
    while slow.times == 2 and time.monotonic() < end:
        time.sleep(0.05)
    assert local_names() & {f"{ground.registry.address}/{image}:v1"}
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert not local_names() & {f"{ground.registry.address}/{image}:v1"}
    time.sleep(4)  # what the engine may still have at hand
    assert ground.client.list_images(repositoryName=image)["imageIds"] == []
    assert ground.registry.asked(r"PUT /v2/.*/manifests/") == 0
