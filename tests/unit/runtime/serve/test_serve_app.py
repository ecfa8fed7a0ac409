"""The application without a server: routes, limits, what is told of errors, streams, time-outs."""

import asyncio
import json

import pytest

from sagedock.contract.paths import ML
from sagedock.runtime.serve import settings
from sagedock.runtime.serve.answers import Answer
from sagedock.runtime.serve.app import App, StreamBrokenError
from sagedock.runtime.serve.metrics import Counters
from sagedock.runtime.serve.problems import Refusal


class Service:
    """Answers with `result`, raises it, or calls it."""

    def __init__(self, result=b"found"):
        self.result = result
        self.asked = []

    async def answer(self, body, headers):
        self.asked.append((body, headers))
        if isinstance(self.result, Exception):
            raise self.result
        if callable(self.result):
            return await self.result()
        return Answer(content_type="text/csv", body=self.result)


class Site:
    def __init__(self, result=b"found", **environment):
        self.service = Service(result)
        self.counters = Counters(1)
        self.timeouts = 0
        found = settings.read(environment, ML, cpus=3)
        self.app = App(
            self.service, found, self.counters, self.counters.slot(0), on_timeout=self.timed_out
        )
        self.sent = []

    def timed_out(self):
        self.timeouts += 1

    def ask(self, method="POST", path="/invocations", parts=(b"1,2",), headers=()):
        """(status, headers, body)"""
        messages = [
            {"type": "http.request", "body": part, "more_body": number < len(parts) - 1}
            for number, part in enumerate(parts)
        ] + [{"type": "http.disconnect"}]

        async def receive():
            return messages.pop(0)

        async def send(message):
            self.sent.append(message)

        scope = {"type": "http", "method": method, "path": path, "headers": list(headers)}
        asyncio.run(self.app(scope, receive, send))
        if not self.sent:
            return None
        body = b"".join(message.get("body", b"") for message in self.sent)
        return self.sent[0]["status"], dict(self.sent[0]["headers"]), body


def test_an_answer():
    site = Site()
    status, headers, body = site.ask(parts=(b"1,", b"2"))
    assert (status, body) == (200, b"found")
    assert headers == {b"content-type": b"text/csv", b"content-length": b"5"}
    assert site.service.asked[0][0] == b"1,2"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/ping", 200), ("HEAD", "/ping", 200), ("POST", "/ping", 200),
        ("DELETE", "/ping", 405), ("GET", "/invocations", 405), ("GET", "/models", 404),
        ("GET", "/metrics", 200), ("GET", "/execution-parameters", 200), ("GET", "/", 404),
    ],
)  # fmt: skip
def test_routes(method, path, status):  # D3.2, D3.13, D3.16
    assert Site().ask(method, path)[0] == status


def test_execution_parameters():  # E3, H5.9
    body = Site(SAGEMAKER_MAX_PAYLOAD_IN_MB="7").ask("GET", "/execution-parameters")[2]
    assert json.loads(body) == {
        "MaxConcurrentTransforms": 3, "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": 7,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("parts", "headers"),
    [
        ((b"",), ((b"content-length", b"1048577"),)),  # announced: refused before it is read
        ((b"x" * 1048577,), ()),
        ((b"x" * 1048576, b"x"), ()),
        ((b"x" * 1048000, b"x" * 1000, b"never read"), ()),
    ],
)
def test_too_large(parts, headers):  # E5
    site = Site(SAGEMAKER_MAX_PAYLOAD_IN_MB="1")
    status, _, body = site.ask(parts=parts, headers=headers)
    assert (status, json.loads(body)["limit"]) == (413, 1048576)
    assert site.service.asked == []


def test_a_refusal_and_an_error(capsys):  # D3.11
    assert Site(Refusal(400, "no", row=2)).ask()[::2] == (400, b'{"error": "no", "row": 2}')
    status, _, body = Site(KeyError("secret")).ask()
    assert (status, json.loads(body)["type"]) == (500, "KeyError")
    assert "Traceback" in capsys.readouterr().err
    assert b"Traceback" not in body


def test_who_has_gone_is_told_nothing_and_counted():
    site = Site()

    async def gone():
        raise ConnectionResetError

    site.service.result = gone
    assert site.ask() is None
    assert 'status="4xx"} 1' in site.counters.text()


def test_the_servers_own_timeout():  # D4.1
    async def slow():
        await asyncio.sleep(30)

    site = Site(slow, SAGEMAKER_MODEL_SERVER_TIMEOUT="1")
    status, _, body = site.ask()
    assert status == 504
    assert "SAGEMAKER_MODEL_SERVER_TIMEOUT" in json.loads(body)["error"]
    assert site.timeouts == 1


def test_a_stream_and_one_that_breaks(capsys):  # D3.14
    async def two(error=None):
        yield b"one"
        if error:
            raise error
        yield b"two"

    async def whole():
        return Answer(content_type="text/plain", stream=two())

    async def broken():
        return Answer(content_type="text/plain", stream=two(ValueError("no more")))

    site = Site(whole)
    assert site.ask()[::2] == (200, b"onetwo")
    assert [message.get("more_body", False) for message in site.sent] == [False, True, True, False]
    site = Site(broken)
    assert site.ask()[::2] == (200, b"one")
    assert site.sent[-1]["more_body"]  # never said to be whole
    assert "no more" in capsys.readouterr().err
    assert issubclass(StreamBrokenError, ConnectionError)
