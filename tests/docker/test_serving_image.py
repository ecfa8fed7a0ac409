"""The serving image in real containers: contract D and E as far as the image alone can show it."""

import asyncio
import contextlib
import http.client
import json
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from serving_container import csv, numbers

UNPRIVILEGED = {"user": "1234:1234", "read_only": True, "tmpfs": {"/tmp": ""}}

SLOW = """
import time
def model_fn(model_dir): return None
def transform_fn(model, body, content_type, accept):
    time.sleep(float(body))
    return "slept", "text/plain"
"""


# ---- start, stop, user (D1, D6) ------------------------------------------------------------------


def test_labels(images, docker_cli):  # D5.1, D5.11
    labels = json.loads(
        docker_cli("image", "inspect", "-f", "{{json .Config.Labels}}", images["serving"]).stdout
    )
    for name in ("multi-models", "accept-bind-to-port"):
        assert labels[f"com.amazonaws.sagemaker.capabilities.{name}"] == "true"


@pytest.mark.parametrize("more", [{}, UNPRIVILEGED], ids=["root", "unprivileged"])
@pytest.mark.parametrize("name", ["binary", "forest"])
def test_a_read_only_model_as_any_user(name, more, models, serve):  # D2.3, D6.4
    server = serve(model=models[name], **more).wait()
    rows = models.rows[:1000]
    np.testing.assert_array_equal(
        numbers(server.invoke(csv(rows)).body), models.expected(name)[:1000]
    )
    assert "Read-only" not in server.log


def test_without_any_network(models, serve):  # D1.9
    server = serve(model=models["binary"], network_mode="none", ports={})
    code = """
import http.client, time
for _ in range(600):
    try:
        c = http.client.HTTPConnection("127.0.0.1", 8080); c.request("GET", "/ping")
        assert c.getresponse().status == 200; break
    except OSError: time.sleep(0.05)
c = http.client.HTTPConnection("127.0.0.1", 8080)
c.request("POST", "/invocations", ",".join(["1"] * 20), {"Content-Type": "text/csv"})
print(c.getresponse().status)
"""
    assert server.inside(code) == "200"


def test_another_port_and_no_further_listener(models, serve):  # D5.11, D5.12
    server = serve(
        model=models["binary"],
        port=8123,
        environment={"SAGEMAKER_BIND_TO_PORT": "8123", "SAGEMAKER_SAFE_PORT_RANGE": "9000-9010"},
    ).wait()
    assert server.invoke(csv(models.rows[0])).status == 200
    listeners = server.inside(
        "print(*(l.split()[1] for f in ('tcp', 'tcp6') for l in open('/proc/net/' + f)"
        " if l.split()[3] == '0A'))"
    )
    assert listeners == "00000000:1FBB"


@pytest.mark.parametrize(
    ("model", "words"),
    [("broken", "is not a model that XGBoost can load"), ("", "holds no model")],
)
def test_a_model_that_cant_be_loaded_ends_the_container(model, words, models, serve):  # D2.4, D3.6
    server = serve(model=models[model] if model else "")
    seen = set()
    while server.container.status in ("created", "running"):
        seen.add(server.ping())
        server.container.reload()
    assert server.ended() == 1
    assert seen <= {0}
    assert words in server.log
    assert "Traceback" not in server.log


def test_a_setting_that_means_nothing_is_named(models, serve):
    server = serve(model=models["binary"], environment={"SAGEMAKER_MODEL_SERVER_WORKERS": "many"})
    assert server.ended() == 1
    assert "SAGEMAKER_MODEL_SERVER_WORKERS is 'many'" in server.log


def send_and_read(connection):
    connection.request("GET", "/ping")
    return connection.getresponse().status


def test_a_stop_answers_what_is_in_flight_and_accepts_nothing_more(serve):  # D1.4
    server = serve(code={"inference.py": SLOW}).wait()
    with ThreadPoolExecutor() as pool:
        running = pool.submit(server.invoke, "3")
        time.sleep(1)
        port, start = server.port, time.monotonic()
        server.container.kill("SIGTERM")
        time.sleep(1)
        late = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        with pytest.raises((OSError, http.client.HTTPException)):  # docker's own proxy may accept
            send_and_read(late)
        assert running.result().body == b"slept"
        assert server.ended() == 0
    assert time.monotonic() - start < 10


def test_requests_that_never_end_dont_outlive_the_platforms_patience(serve):  # D1.4
    server = serve(code={"inference.py": SLOW}).wait()
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n600")
        time.sleep(1)
        start = time.monotonic()
        server.container.kill("SIGTERM")
        assert server.ended() == 0
    assert 15 < time.monotonic() - start < 30


def test_a_killed_worker_is_replaced(models, serve):
    server = serve(model=models["binary"]).wait()
    code = """
import os, signal
def parent(pid): return open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[1]
workers = [p for p in os.listdir("/proc") if p.isdigit() and parent(p) == "1"
           and b"serve" in open(f"/proc/{p}/cmdline", "rb").read()]
os.kill(int(workers[0]), signal.SIGKILL)
"""
    server.inside(code)
    body = csv(models.rows[0])
    assert [server.invoke(body).status for _ in range(50)] == [200] * 50
    end = time.monotonic() + 20
    while "sagedock_worker_restarts_total 1" not in server.request("GET", "/metrics").body.decode():
        assert time.monotonic() < end
        time.sleep(0.05)
    assert "was killed by SIGKILL; another one starts" in server.log
    assert server.ping() == 200


# ---- HTTP (D3) -----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
def test_ping(method, models, shared):  # D3.2, J8
    reply = shared(model=models["binary"]).request(method, "/ping")
    assert (reply.status, reply.body) == (200, b"")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404), ("GET", "/models", 404), ("POST", "/models", 404),
        ("GET", "/invocations", 405), ("DELETE", "/ping", 405), ("GET", "/%2e%2e/etc/passwd", 404),
        ("GET", "/metrics", 200), ("GET", "/execution-parameters", 200),
    ],
)  # fmt: skip
def test_paths(method, path, status, models, shared):  # D3.13, D3.16
    assert shared(model=models["binary"]).request(method, path).status == status


def test_ping_is_answered_while_invocations_run(serve):  # D3.5
    server = serve(code={"inference.py": SLOW}).wait()
    slow = [threading.Thread(target=server.invoke, args=("2",)) for _ in range(4)]
    for thread in slow:
        thread.start()
    times = []
    while any(thread.is_alive() for thread in slow):
        start = time.monotonic()
        assert server.ping() == 200
        times.append(time.monotonic() - start)
        time.sleep(0.05)
    assert len(times) > 20
    assert max(times) < 1


def test_ping_is_answered_while_large_tables_are_predicted(models, serve):
    server = serve(
        model=models["binary"],
        environment={"SAGEMAKER_MAX_PAYLOAD_IN_MB": "0", "SAGEMAKER_MODEL_SERVER_WORKERS": "1"},
    ).wait()
    body = csv(models.rows) + b"\n"
    large = [threading.Thread(target=server.invoke, args=(body * 100,)) for _ in range(2)]
    for thread in large:
        thread.start()
    times = []
    while any(thread.is_alive() for thread in large):
        start = time.monotonic()
        assert server.ping() == 200
        times.append(time.monotonic() - start)
    assert max(times) < 2


def test_many_connections_are_accepted_at_once(models, shared):  # D3.7
    server = shared(model=models["binary"])
    port, times, held = server.port, [], []
    for _ in range(200):
        start = time.monotonic()
        held.append(socket.create_connection(("127.0.0.1", port)))
        times.append(time.monotonic() - start)
    assert server.ping() == 200
    assert max(times) < 0.25
    for connection in held:
        connection.close()


def test_headers_that_nobody_knows_and_none_at_all(models, shared):  # D3.10
    server, body = shared(model=models["binary"]), csv(models.rows[0])
    many = {f"X-Unknown-{i}": "x" * 50 for i in range(20)}
    attributes = {"X-Amzn-SageMaker-Custom-Attributes": "trace=1"}
    expected = server.invoke(body).body
    assert server.invoke(body, Accept="*/*", **many, **attributes).body == expected
    bare = server.request("POST", "/invocations", body)
    assert (bare.status, bare.body) == (200, expected)


def test_payload_limits(models, shared):  # D3.9, E5, E6, H5.3
    server = shared(model=models["binary"])
    row = csv(models.rows[0]) + b"\n"
    whole = (row * (6291456 // len(row) + 1))[:6291456]
    whole = whole[: whole.rfind(b"\n") + 1].ljust(6291456, b"\n")
    assert server.invoke(whole).status == 200
    over = server.invoke(whole + b"\n")
    assert (over.status, over.json["limit"]) == (413, 6291456)
    parts = (whole[i : i + 65536] for i in range(0, 6291456, 65536))
    assert server.invoke(parts).status == 200
    parts = ((whole + whole)[i : i + 65536] for i in range(0, 2 * 6291456, 65536))
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # closed while being sent
        assert server.invoke(parts).status == 413
    assert server.ping() == 200


@pytest.mark.parametrize("megabytes", ["20", "0"])
def test_payloads_of_transform(megabytes, models, serve):  # E3, E4, E5, H5.9
    environment = {"SAGEMAKER_MAX_PAYLOAD_IN_MB": megabytes, "SAGEMAKER_BATCH": "true",
                   "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "3",
                   "SAGEMAKER_BATCH_STRATEGY": "MULTI_RECORD"}  # fmt: skip
    server = serve(model=models["binary"], environment=environment).wait()
    assert server.request("GET", "/execution-parameters").json == {
        "MaxConcurrentTransforms": 3,
        "BatchStrategy": "MULTI_RECORD",
        "MaxPayloadInMB": int(megabytes),
    }
    rows = np.tile(models.rows, (25, 1))
    body = csv(rows)
    assert len(body) > 12 << 20
    reply = server.invoke(body[i : i + 65536] for i in range(0, len(body), 65536))
    np.testing.assert_array_equal(numbers(reply.body), np.tile(models.expected("binary"), 25))


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"])
def test_one_record_for_each_line_in_order(ending, models, shared):  # E7, E8, E9
    body = csv(models.rows[:500]).replace(b"\n", b"\r\n" if ending == b"\r\n" else b"\n") + ending
    reply = shared(model=models["binary"]).invoke(body)
    assert not reply.body.endswith(b"\n")
    np.testing.assert_array_equal(numbers(reply.body), models.expected("binary")[:500])


GOOD = ",".join(["1"] * 20)


@pytest.mark.parametrize(
    ("body", "content_type", "accept", "status", "words", "facts"),
    [
        ("", "text/csv", "*/*", 400, "no body", {}),
        ("garbage", "text/csv", "*/*", 400, "has 1 columns", {"row": 1}),
        ("1,2", "text/csv", "*/*", 400, "the model takes 20", {"row": 1}),
        (f"{GOOD}\n{GOOD},1", "text/csv", "*/*", 400, "has 21 columns", {"row": 2}),
        (f"{GOOD}\nx{GOOD}", "text/csv", "*/*", 400, "'x1'", {"row": 2, "column": 1}),
        (b"\xff" + GOOD.encode(), "text/csv", "*/*", 400, "not UTF-8", {"row": 1}),
        ("[[1, 2", "application/json", "*/*", 400, "not valid JSON", {}),
        ("[1, 2]", "application/json", "*/*", 400, "takes 20", {"row": 1}),
        ("junk", "application/x-npy", "*/*", 400, "npy", {}),
        ("99:1", "text/libsvm", "*/*", 400, "index 99", {"row": 1, "column": 1}),
        ("junk", "application/x-recordio-protobuf", "*/*", 400, "RecordIO", {}),
        (GOOD, "application/x-parquet", "*/*", 415, "needs the package arro3-io", {}),
        (GOOD, "image/png", "*/*", 415, "image/png", {}),
        (GOOD, "text/csv", "image/png", 406, "image/png", {}),
    ],
)
def test_bad_requests(body, content_type, accept, status, words, facts, models, shared):  # D3.11
    server = shared(model=models["binary"])
    reply = server.invoke(body, content_type, Accept=accept)
    assert reply.status == status
    assert reply.headers["content-type"] == "application/json"
    assert words in reply.json["error"]
    assert {name: reply.json[name] for name in facts} == facts
    assert server.invoke(GOOD).status == 200


def test_what_isnt_http_and_what_breaks_off(models, shared):
    server = shared(model=models["binary"])
    for data in (b"\0\1\2\3\r\n\r\n", b"POST /invocations HTTP/1.1\r\nContent-Length: 50\r\n\r\n1"):
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(data)
    assert server.ping() == 200
    assert "Traceback" not in server.log


def test_an_idle_server_and_its_requests_leave_no_lines(models, serve):  # D3.17
    server = serve(model=models["binary"]).wait()
    before = server.log
    for _ in range(20):
        server.ping()
        server.invoke(GOOD)
    assert server.log == before
    assert len(before.splitlines()) == 1


# ---- models without code (H5) --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["binary", "early", "document", "linear"])
def test_xgboost_says_what_the_library_says(name, models, shared):
    rows = np.nan_to_num(models.rows) if name == "linear" else models.rows
    expected = models.expected("binary" if name == "document" else name)
    if name == "linear":
        rows, expected = rows[:1000], expected[:1000]  # rows without missing values
    reply = shared(model=models[name]).invoke(csv(rows))
    np.testing.assert_array_equal(numbers(reply.body), expected)


def test_classes_and_their_forms(models, shared):
    server, rows = shared(model=models["softprob"]), models.rows[:50]
    expected = models.expected("softprob")[:50]
    text = server.invoke(csv(rows)).body.decode()
    np.testing.assert_array_equal(np.float32([r.split(",") for r in text.split("\n")]), expected)
    reply = server.invoke(csv(rows), Accept="application/json")
    assert reply.headers["content-type"] == "application/json"
    scores = [one["score"] for one in reply.json["predictions"]]
    np.testing.assert_array_equal(np.float32(scores), expected)
    single = server.invoke(csv(rows[0]), Accept="application/jsonlines").json
    np.testing.assert_array_equal(np.float32(single["score"]), expected[0])


def test_folds_are_averaged_and_other_files_left_alone(models, shared):  # H5.2
    mean = (models.expected("fold-0").astype(float) + models.expected("fold-1")) / 2
    reply = shared(model=models["folds"]).invoke(csv(models.rows))
    np.testing.assert_array_equal(numbers(reply.body), mean.astype(np.float32))
    first = shared(
        model=models["folds"], environment={"SAGEMAKER_INFERENCE_ENSEMBLE": "false"}
    ).invoke(csv(models.rows))
    np.testing.assert_array_equal(numbers(first.body), models.expected("fold-0"))


@pytest.mark.parametrize("content_type", ["application/json", "application/jsonlines",
                                          "application/x-npy", "text/libsvm"])  # fmt: skip
def test_every_content_type_gets_the_same_answer(content_type, models, shared):
    import io

    rows = models.rows[900:1100]
    cells = [[None if np.isnan(v) else float(v) for v in row] for row in rows]
    buffer = io.BytesIO()
    np.save(buffer, rows)
    body = {
        "application/json": json.dumps({"instances": cells}),
        "application/jsonlines": "\n".join(json.dumps({"features": row}) for row in cells),
        "application/x-npy": buffer.getvalue(),
        "text/libsvm": "\n".join(
            " ".join(f"{i}:{v!r}" for i, v in enumerate(row) if v is not None) for row in cells
        ),
    }[content_type]
    reply = shared(model=models["binary"]).invoke(body, content_type)
    np.testing.assert_array_equal(numbers(reply.body), models.expected("binary")[900:1100])


def test_default_accept_and_selected_outputs(models, shared):  # H5.6, H5.8
    server = shared(
        model=models["binary"],
        environment={
            "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "application/json",
            "SAGEMAKER_INFERENCE_OUTPUT": "predicted_label,probability",
        },
    )
    (record,) = server.invoke(csv(models.rows[3])).json["predictions"]
    expected = models.expected("binary")[3]
    assert record == {"predicted_label": int(expected > 0.5), "probability": float(expected)}


def test_xgboost_is_served_without_scikit_learn(models, shared):
    server = shared(model=models["binary"])
    code = """
import os
for pid in filter(str.isdigit, os.listdir("/proc")):
    try: print("sklearn" in open(f"/proc/{pid}/maps").read())
    except OSError: pass
"""
    assert "True" not in server.inside(code)


# ---- many at once --------------------------------------------------------------------------------


async def ask(port, bodies, answers):
    """One connection, one request after the other, as fast as answers come."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number, body in bodies:
        writer.write(
            b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body) + body
        )
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(re.search(rb"content-length: (\d+)", head)[1])
        answers[number] = int(head.split()[1]), await reader.readexactly(length)
    writer.close()


@pytest.mark.parametrize("name", ["binary", "forest"])
def test_two_thousand_single_rows_at_once_are_right_one_by_one(name, models, shared):
    server, expected = shared(model=models[name]), models.expected(name)
    bodies = [csv(row) for row in np.nan_to_num(models.rows[:1000])] * 2
    bad = set(range(7, 2000, 100))
    for number in bad:
        bodies[number] = bodies[number].replace(b",", b",1-", 1)
    answers = {}

    async def all_of_them():
        numbered = list(enumerate(bodies))
        await asyncio.gather(*(ask(server.port, numbered[i::64], answers) for i in range(64)))

    asyncio.run(all_of_them())
    assert {number for number, (status, _) in answers.items() if status != 200} == bad
    for number in bad:
        assert answers[number][0] == 400
        assert json.loads(answers[number][1])["column"] == 2
    found = np.float32([answers[i][1] for i in range(2000) if i not in bad])
    np.testing.assert_array_equal(found, [expected[i % 1000] for i in range(2000) if i not in bad])
    text = server.request("GET", "/metrics").body.decode()
    rows, predictions = (
        int(re.search(rf"sagedock_joined_{what}_total (\d+)", text)[1])
        for what in ("rows", "predictions")
    )
    assert rows > predictions  # some were predicted together
