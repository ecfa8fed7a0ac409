"""`--from-image`: our supervisor and server on other people's bases train and serve."""

import json

import pytest

from sagedock.launch.estimator import Estimator
from sagedock.launch.model import Model
from sagedock.launch.session import Session
from sagedock.local.settings import LocalSettings

SYSTEM = """\
FROM {base}
RUN rm -rf /opt/venv && mkdir -p /usr/local/lib/python3.11/dist-packages \\
 && echo 'answer = 42' >/usr/local/lib/python3.11/dist-packages/ourlib.py
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
ENTRYPOINT ["/bin/false"]
USER 1000
"""
"""A base with a Python of its system's own, one package in it, and an entry point in our way."""

ENVIRONMENT = """\
FROM {base}
RUN echo 'answer = 42' >/opt/venv/lib/python3.11/site-packages/ourlib.py
"""
"""A base whose Python is a virtual environment."""

TRAIN = """\
import argparse, numpy, os, ourlib, sagemaker_training, shutil
parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int)
arguments = parser.parse_args()
with open(os.path.join(os.environ["SM_MODEL_DIR"], "word"), "w") as file:
    file.write(f"{ourlib.answer} {arguments.epochs}")
os.mkdir(os.environ["SM_MODEL_DIR"] + "/code")
shutil.copy("inference.py", os.environ["SM_MODEL_DIR"] + "/code")
"""

SERVE = """\
import ourlib

def model_fn(folder):
    return open(folder + "/word").read()

def transform_fn(model, body, content_type, accept):
    text = body.decode() if isinstance(body, bytes) else body
    return f"{text}: {model} of {ourlib.answer}", "text/plain"
"""


@pytest.fixture(scope="module", params=[SYSTEM, ENVIRONMENT], ids=["system", "environment"])
def onto(request, builds, images, tmp_path_factory) -> tuple[str, str]:
    """A base, and what was put on it."""
    folder = tmp_path_factory.mktemp("base")
    kind = "system" if request.param is SYSTEM else "environment"
    (folder / "Dockerfile").write_text(request.param.format(base=images["base"]))
    base, made = builds.name(f"base-{kind}:1"), builds.name(f"onto-{kind}:1")
    builds.build(str(folder), "-t", base)
    builds.build("--from-image", base, "-t", made)
    return base, made


@pytest.fixture
def session(tmp_path):
    settings = LocalSettings.from_environment({}, data=tmp_path / "data")
    session = Session(settings=settings)
    yield session
    session.close()


def test_a_script_trains_and_its_model_is_served(onto, session, tmp_path):
    _, image = onto
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "train.py").write_text(TRAIN)
    (tmp_path / "code" / "inference.py").write_text(SERVE)
    estimator = Estimator(
        image, entry_point="train.py", source_dir=str(tmp_path / "code"),
        hyperparameters={"epochs": 3}, sagemaker_session=session,
    )  # fmt: skip
    estimator.fit()
    model = Model(image, estimator.model_data, sagemaker_session=session)
    predictor = model.deploy(content_type="text/plain")
    try:
        answer = predictor.predict("said")
        assert (answer.decode() if isinstance(answer, bytes) else answer) == "said: 42 3 of 42"
    finally:
        predictor.delete_endpoint()
        predictor.close()


def test_the_base_stays_as_it_is(onto, docker_cli):
    base, image = onto
    found = [json.loads(docker_cli("image", "inspect", name).stdout)[0] for name in onto]
    below = found[0]["RootFS"]["Layers"]
    assert found[1]["RootFS"]["Layers"][: len(below)] == below
    assert found[1]["Config"]["Entrypoint"] is None
    assert found[1]["Config"]["Cmd"] == ["train"]
    labels = found[1]["Config"]["Labels"]
    assert labels["org.opencontainers.image.base.name"] == base
    assert labels["com.amazonaws.sagemaker.capabilities.multi-models"] == "true"
    code = "import numpy, ourlib; print(numpy.__file__, ourlib.__file__)"
    where = docker_cli("run", "--rm", image, "python3", "-c", code).stdout.split()
    inside = "/opt/venv/" if "environment" in image else "/opt/sagedock/"
    assert where[0].startswith(inside)  # the base's own where it has one
    assert not where[1].startswith("/opt/sagedock/")
    assert docker_cli("run", "--rm", image, "pip3", "--version").returncode == 0


def test_parts_can_be_had_alone(builds, images, docker_cli):
    base, name = images["base"], builds.name("serving:1")
    builds.build("--from-image", base, "--with", "serving", "-t", name)
    assert docker_cli("run", "--rm", name, "which", "serve").stdout == "/opt/sagedock/bin/serve\n"
    assert docker_cli("run", "--rm", name, "which", "train", check=False).returncode == 1
    document = json.loads(docker_cli("image", "inspect", name).stdout)[0]
    assert document["Config"]["Cmd"] == ["serve"]


def test_a_base_without_python_is_told(builds):
    done = builds.sagedock(
        "build", "--from-image", "debian:bookworm-slim", "-t", builds.name("none:1"), "-q",
        check=False,
    )  # fmt: skip
    assert done.returncode == 14
    assert "the base image has no Python on PATH" in done.stderr
    assert "hint: Install Python 3.11 or newer in it" in done.stderr


def test_a_base_that_is_not_there_is_named(builds):
    base = "127.0.0.1:9/nosuch/base:1"
    done = builds.sagedock(
        "build", "--from-image", base, "-t", builds.name("none:1"), "-q", check=False
    )
    assert done.returncode == 14
    assert f"The base image {base} is not on this machine" in done.stderr


def test_a_python_that_is_too_old_is_told(builds, images, tmp_path):
    (tmp_path / "python3").write_text(
        '#!/bin/sh\ncase "$2" in *print*) echo 3.8 ;; *exit*) exit 1 ;; esac\n'
    )
    (tmp_path / "Dockerfile").write_text(
        "FROM debian:bookworm-slim\nCOPY python3 /usr/bin/python3\nRUN chmod 755 /usr/bin/python3\n"
    )
    base = builds.name("old:1")
    builds.build(str(tmp_path), "-t", base)
    done = builds.sagedock(
        "build", "--from-image", base, "-t", builds.name("old-onto:1"), "-q", check=False
    )
    assert done.returncode == 14
    assert "the base image's Python is 3.8, older than 3.11" in done.stderr
