"""A user's functions in the serving image: every name, async and streaming, and what goes wrong."""

import contextlib
import threading
import time

import pytest
from serving_container import csv, numbers

FOUR = """
import json
def model_fn(model_dir): return {"dir": model_dir}
def input_fn(body, content_type): return [type(body).__name__, content_type, len(body)]
def predict_fn(data, model): return data + [model["dir"]]
def output_fn(prediction, accept): return json.dumps(prediction), accept
"""
ASYNC = """
import asyncio
async def model_fn(model_dir): return 2
async def transform_fn(model, body, content_type, accept):
    await asyncio.sleep(1)
    return str(int(body) * model)
"""
STREAMS = """
import asyncio, time
def model_fn(model_dir): return None
def transform_fn(model, body, content_type, accept):
    if body == "async": return later(), "text/event-stream"
    if body == "raise": return broken(), "text/plain"
    if body == "at once": return at_once(), "text/plain"
    return now(), "text/event-stream"
def now():
    for i in range(3):
        yield f"{i};"
        time.sleep(0.5)
async def later():
    for i in range(3):
        yield f"{i};".encode()
        await asyncio.sleep(0.5)
def broken():
    yield "one"
    raise ValueError("no more")
def at_once():
    raise ValueError("nothing")
    yield
"""
CONTEXT = """
def model_fn(model_dir, context): return context.system_properties["model_dir"]
def transform_fn(model, body, content_type, accept, context):
    sent = context.get_request_header("X-Amzn-SageMaker-Custom-Attributes")
    context.set_response_header("X-Amzn-SageMaker-Custom-Attributes", f"{sent}!")
    return model
"""


def test_the_four_functions(serve):
    server = serve(code={"inference.py": FOUR}).wait()
    reply = server.invoke("1,2", Accept="application/json")
    assert reply.headers["content-type"] == "application/json"
    assert reply.json == ["str", "text/csv", 3, "/opt/ml/model"]
    assert server.invoke(b"\xff\0", "application/octet-stream").json[0] == "bytes"


def test_predict_fn_alone_stands_on_the_models_own_loading(models, serve, tmp_path):
    code = "def predict_fn(data, model): return model.predict_proba(data)[:, 1]\n"
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "inference.py").write_text(code)
    server = serve(
        mounts={"/opt/ml/model": models["forest"], "/code": str(folder)},
        environment={"SAGEMAKER_SUBMIT_DIRECTORY": "/code"},
        user="1234:1234", read_only=True, tmpfs={"/tmp": ""},
    ).wait()  # fmt: skip
    found = numbers(server.invoke(csv(models.rows[:100])).body)
    assert ((found > 0.5) == models.expected("forest")[:100]).all()


def test_async_handlers_run_side_by_side(serve):
    environment = {"SAGEMAKER_MODEL_SERVER_WORKERS": "1"}
    server = serve(code={"inference.py": ASYNC}, environment=environment).wait()
    answers = []
    threads = [
        threading.Thread(target=lambda i=i: answers.append(server.invoke(str(i)).body))
        for i in range(5)
    ]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [b"0", b"2", b"4", b"6", b"8"]
    assert time.monotonic() - start < 3


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_a_stream_comes_in_parts(kind, serve):  # D3.14
    server = serve(code={"inference.py": STREAMS}).wait()
    start = time.monotonic()
    with contextlib.closing(server.connect()) as connection:
        connection.request("POST", "/invocations", kind, {"Content-Type": "text/csv"})
        answer = connection.getresponse()
        first = answer.read(2)
        at = time.monotonic() - start
        assert answer.headers["transfer-encoding"] == "chunked"
        assert answer.headers["content-type"] == "text/event-stream"
        assert first + answer.read() == b"0;1;2;"
    assert at < 0.5 < time.monotonic() - start


def test_a_stream_that_breaks_is_no_whole_answer(serve):
    server = serve(code={"inference.py": STREAMS}).wait()
    with pytest.raises(Exception, match=r"IncompleteRead|closed"):
        server.invoke("raise")
    reply = server.invoke("at once")
    assert (reply.status, reply.json["error"]) == (500, "nothing")
    assert server.ping() == 200


def test_context_carries_custom_attributes_both_ways(serve):  # D3.10
    server = serve(code={"inference.py": CONTEXT}).wait()
    reply = server.invoke("1", X_Amzn_SageMaker_Custom_Attributes="trace=1")
    assert reply.headers["X-Amzn-SageMaker-Custom-Attributes"] == "trace=1!"
    assert reply.body == b"/opt/ml/model"


def test_an_error_is_500_with_its_message_and_a_traceback_in_the_log_only(serve):  # D3.11
    code = FOUR.replace("return data +", 'raise ValueError("bad luck") or')
    server = serve(code={"inference.py": code}).wait()
    reply = server.invoke("1")
    assert (reply.status, reply.json) == (500, {"error": "bad luck", "type": "ValueError"})
    assert "Traceback" not in reply.body.decode()
    assert "Traceback" in server.log
    assert "predict_fn" in server.log
    assert server.ping() == 200


@pytest.mark.parametrize(
    ("code", "environment", "words"),
    [
        ("def model_fn(d): raise OSError('weights are missing')", {}, "weights are missing"),
        ("import nowhere", {}, "No module named 'nowhere'"),
        ("def transform_fn(): pass\ndef predict_fn(): pass", {}, "transform_fn besides"),
        ("", {"SAGEMAKER_PROGRAM": "mine.py"}, "there is no /opt/ml/model/code/mine.py"),
    ],
)
def test_code_that_cant_start_ends_the_container(code, environment, words, serve):  # D3.6
    server = serve(code={"inference.py": code}, environment=environment)
    assert server.ended() == 1
    assert words in server.log


def test_another_program(serve):
    code = {"mine.py": FOUR, "inference.py": "raise RuntimeError"}
    server = serve(code=code, environment={"SAGEMAKER_PROGRAM": "mine.py"}).wait()
    assert server.invoke("1").status == 200


def test_requirements_that_are_there_need_no_network(serve):
    code = {"inference.py": FOUR, "requirements.txt": "numpy\nxgboost>=2\n"}
    server = serve(code=code).wait()
    assert "Requirement already satisfied: numpy" in server.log
    assert server.invoke("1").status == 200


def test_requirements_that_cant_be_had_are_named(serve):
    code = {"inference.py": FOUR, "requirements.txt": "no-such-package-anywhere==1\n"}
    server = serve(code=code, network_mode="none", ports={},
                   environment={"PIP_RETRIES": "0", "PIP_NO_INDEX": "1"})  # fmt: skip
    assert server.ended() == 1
    assert "Could not install no-such-package-anywhere" in server.log


def test_the_servers_own_timeout(serve):  # D4.1, D7
    code = """
import time
def model_fn(d): return None
def transform_fn(m, body, c, a):
    time.sleep(float(body))
    return "slept"
"""
    server = serve(
        code={"inference.py": code}, environment={"SAGEMAKER_MODEL_SERVER_TIMEOUT": "1"}
    ).wait()
    assert server.invoke("0.1").body == b"slept"
    reply = server.invoke("30")
    assert reply.status == 504
    assert "SAGEMAKER_MODEL_SERVER_TIMEOUT" in reply.json["error"]
    for _ in range(10):
        assert server.invoke("0.1").body == b"slept"
