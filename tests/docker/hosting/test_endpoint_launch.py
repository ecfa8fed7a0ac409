"""Endpoints as people make them: from Python with SDK v2's names, and from the terminal."""

import subprocess
import sys
from pathlib import Path

import pytest

import sagedock
from sagedock.errors import ValidationError
from sagedock.launch.session import Session

SAY = """
    def model_fn(folder):
        return open(folder + "/word").read()

    def transform_fn(model, body, content_type, accept):
        text = body.decode() if isinstance(body, bytes) else body
        return f"{text}>{model}", "text/plain"
"""


def archive(hosting, word):
    """Put the model that says `word`; its URI."""
    files = {"code/inference.py": hosting.code(SAY), "word": word.encode()}
    hosting.model_data(word, files)
    return f"s3://models/{word}/model.tar.gz"


@pytest.fixture
def session(hosting):
    session = Session(settings=hosting.settings)
    yield session
    session.close()


@pytest.fixture
def terminal(hosting):
    def run(*arguments):
        program = str(Path(sys.executable).with_name("sagedock"))
        command = [program, "--data", str(hosting.settings.data), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run


def text(answer):
    return answer.decode() if isinstance(answer, bytes) else answer


def test_models_in_a_row(hosting, session):
    models = [
        sagedock.Model(hosting.image, archive(hosting, word), sagemaker_session=session)
        for word in ("one", "two")
    ]
    pipeline = sagedock.PipelineModel(models, name="row")
    predictor = pipeline.deploy(endpoint_name="row", content_type="text/plain")
    assert text(predictor.predict("0")) == "0>one>two"
    predictor.close()


def test_many_models_behind_one_image(hosting, session):
    """D5.2 to D5.8: loaded when asked for, by the name of the archive."""
    many = sagedock.MultiDataModel(
        "many", "s3://models/many", hosting.image, sagemaker_session=session
    )
    assert many.add_model(archive(hosting, "one"), "one.tar.gz") == "s3://models/many/one.tar.gz"
    predictor = many.deploy(endpoint_name="many", content_type="text/plain")
    assert text(predictor.predict("0", target_model="one.tar.gz")) == "0>one"
    many.add_model(archive(hosting, "two"), "two.tar.gz")
    assert text(predictor.predict("0", target_model="/two.tar.gz")) == "0>two"
    assert many.list_models() == ["one.tar.gz", "two.tar.gz"]
    with pytest.raises(ValidationError, match=r"three\.tar\.gz"):
        predictor.predict("0", target_model="three.tar.gz")
    predictor.close()


def test_an_endpoint_from_the_terminal_is_updated_and_its_logs_are_shown(hosting, terminal):
    first, second = archive(hosting, "first"), archive(hosting, "second")
    served = terminal("serve", hosting.image, "--model-data", first, "--name", "live")
    assert (served.returncode, served.stdout) == (0, "live\n"), served.stderr
    assert terminal("invoke", "live", "0", "--content-type", "text/plain").stdout == "0>first"
    arguments = ["--name", "live", "--update", "--instance-count", "2"]
    updated = terminal("serve", hosting.image, "--model-data", second, *arguments)
    assert updated.returncode == 0, updated.stderr
    assert terminal("invoke", "live", "0", "--content-type", "text/plain").stdout == "0>second"
    lines = terminal("logs", "live").stdout.splitlines()
    streams = {line.partition("] ")[0].lstrip("[") for line in lines}
    instances = {stream.removeprefix("AllTraffic/") for stream in streams}
    assert set(hosting.instances("live")) < instances  # the first one's, too
    assert len(terminal("logs", "live", "--tail", "3").stdout.splitlines()) == 3
    again = terminal("serve", hosting.image, "--model-data", second, "--name", "live")
    assert "already existing" in again.stderr
    assert terminal("serve", hosting.image, "--update").returncode == 2
    hosting.delete("live")
    assert terminal("logs", "live").stdout.splitlines()[: len(lines)] == lines
    assert "No job" in terminal("logs", "nobody").stderr


def test_serve_detached_returns_at_once(hosting, terminal):
    data = archive(hosting, "word")
    served = terminal("serve", hosting.image, "--model-data", data, "--name", "live", "--detach")
    assert served.stdout == "live\n"
    assert hosting.settled("live") == "InService"
    listed = terminal("endpoints", "--json").stdout
    assert '"EndpointStatus": "InService"' in listed
