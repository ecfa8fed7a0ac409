"""The router of a multi-model endpoint, with models that are there by name only."""

import asyncio
import json
import signal
from urllib.parse import unquote

import pytest

from sagedock.contract.paths import ML
from sagedock.runtime.serve import settings
from sagedock.runtime.serve.multi_model import (
    Loaded,
    MultiModelApp,
    _load_failure,
    page,
    settings_of,
)
from sagedock.runtime.serve.problems import Refusal

FOUND = settings.read({"SAGEMAKER_MULTI_MODEL": "true", "SAGEMAKER_BATCH": "true"}, ML, cpus=3)


def named(count):
    return [Loaded(name=f"m{i:03}", url=f"/m/{i}", process=None, address="") for i in range(count)]


class Models:
    """Loads whatever it is told; `full` and `twice` can't be."""

    def __init__(self, count=0):
        self.models = {one.name: one for one in named(count)}

    async def load(self, name, url):
        if name in ("full", "twice"):
            raise Refusal({"full": 507, "twice": 409}[name], name)
        self.models[name] = Loaded(name=name, url=url, process=None, address="")

    def get(self, name):
        if name not in self.models:
            raise Refusal(404, name)
        return self.models[name]

    def listing(self):
        return list(self.models.values())

    async def unload(self, name):
        del self.models[name]


def ask(models, method, path, body=b"", query=b""):
    sent, messages = [], [{"type": "http.request", "body": body}]

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "method": method, "path": unquote(path), "raw_path": path.encode(),
        "query_string": query, "headers": [],
    }  # fmt: skip
    asyncio.run(MultiModelApp(models, FOUND)(scope, receive, send))
    return sent[0]["status"], sent[1]["body"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/ping", b"", 200),  # D5.2: with nothing loaded
        ("POST", "/models", b'{"model_name": "new", "url": "/m/new"}', 200),  # D5.3
        ("POST", "/models", b'{"model_name": "twice", "url": "/m"}', 409),
        ("POST", "/models", b'{"model_name": "full", "url": "/m"}', 507),
        ("POST", "/models", b'{"model_name": "half"}', 400),
        ("POST", "/models", b"[]", 400),
        ("POST", "/models", b"junk", 400),
        ("GET", "/models/m000", b"", 200),  # D5.5
        ("GET", "/models/none", b"", 404),
        ("DELETE", "/models/m000", b"", 200),  # D5.6
        ("DELETE", "/models/none", b"", 404),
        ("POST", "/models/none/invoke", b"1", 404),  # D5.7
        ("POST", "/invocations", b"1", 404),
        ("PUT", "/models", b"", 404),
        ("GET", "/metrics", b"", 200),
    ],
)
def test_routes(method, path, body, status):
    assert ask(Models(1), method, path, body)[0] == status


def test_names_are_opaque():  # D5.8
    models = Models()
    ask(models, "POST", "/models", b'{"model_name": "a/b c", "url": "/m/x"}')
    status, body = ask(models, "GET", "/models/a%2Fb%20c")
    assert (status, json.loads(body)["modelName"]) == (200, "a/b c")
    status, body = ask(models, "GET", "/models")
    assert json.loads(body) == {"models": [{"modelName": "a/b c", "modelUrl": "/m/x"}]}


def test_pages_of_models():  # D5.4
    models = named(250)
    first = page(models, b"")
    second = page(models, b"next_page_token=" + first["nextPageToken"].encode())
    third = page(models, b"next_page_token=" + second["nextPageToken"].encode())
    assert [len(one["models"]) for one in (first, second, third)] == [100, 100, 50]
    assert "nextPageToken" not in third
    names = [one["modelName"] for one in first["models"] + second["models"] + third["models"]]
    assert names == [model.name for model in models]
    assert page(models, b"next_page_token=junk") == first


def test_execution_parameters():  # E3
    status, body = ask(Models(), "GET", "/execution-parameters")
    assert status == 200
    assert json.loads(body)["MaxConcurrentTransforms"] == 3


@pytest.mark.parametrize(
    ("code", "words", "status", "said"),
    [
        (-signal.SIGKILL, "", 507, "Not enough memory"),
        (1, "Traceback\nMemoryError: x", 507, "Not enough memory"),
        (3, "noise\nsagedock: error: it is no model", 500, "it is no model"),
        (9, "", 500, "exit code 9"),
    ],
)
def test_why_a_model_couldnt_be_loaded(code, words, status, said):  # D5.3
    refusal = _load_failure("m", code, words)
    assert refusal.status == status
    assert said in refusal.message


def test_a_models_own_settings():
    found = settings_of(FOUND, "/m/1")
    assert (found.model_dir, found.code_dir) == ("/m/1", "/m/1/code")
    assert (found.workers, found.multi_model, found.batch) == (1, False, True)
