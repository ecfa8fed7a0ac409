"""Multi-model endpoints (D5): load, list, get, invoke, unload, and the memory that comes back."""

import json
import re

import pytest
from serving_container import csv, numbers

MULTI = {"SAGEMAKER_MULTI_MODEL": "true"}
NAMES = {"3fa8": "binary", "b71c": "forest", "0000": "broken"}


def place(name):
    return f"/opt/ml/models/{name}/model"


def load(server, name, url=None):
    document = {"model_name": name, "url": url or place(name)}
    return server.request("POST", "/models", json.dumps(document), Content_Type="application/json")


@pytest.fixture
def server(models, serve):
    mounts = {place(name): models[model] for name, model in NAMES.items()}
    return serve(
        environment=MULTI, mounts=mounts, user="1234:1234", read_only=True, tmpfs={"/tmp": ""}
    ).wait()


def test_the_whole_life_of_models(server, models):  # D5.2, D5.3, D5.4, D5.5, D5.6, D5.7, D5.8
    assert server.request("GET", "/models").json == {"models": []}
    assert load(server, "3fa8").status == 200
    assert load(server, "3fa8").status == 409
    assert load(server, "b71c").status == 200
    both = [{"modelName": n, "modelUrl": place(n)} for n in ("3fa8", "b71c")]
    assert server.request("GET", "/models").json == {"models": both}
    assert server.request("GET", "/models/b71c").json == both[1]
    for name in ("3fa8", "b71c"):
        reply = server.request(
            "POST", f"/models/{name}/invoke", csv(models.rows[:100]),
            Content_Type="text/csv", X_Amzn_SageMaker_Target_Model="x.tar.gz",
        )  # fmt: skip
        assert (numbers(reply.body) == models.expected(NAMES[name])[:100]).all()
    assert server.request("DELETE", "/models/3fa8").status == 200
    assert server.request("GET", "/models").json == {"models": both[1:]}
    assert load(server, "3fa8").status == 200


def test_what_isnt_loaded_is_404(server):  # D5.5, D5.6, D5.7
    assert server.request("GET", "/models/x").status == 404
    assert server.request("DELETE", "/models/x").status == 404
    assert server.request("POST", "/models/x/invoke", "1", Content_Type="text/csv").status == 404
    assert server.request("POST", "/invocations", "1", Content_Type="text/csv").status == 404


def test_a_model_that_cant_be_loaded_harms_no_other(server, models):
    assert load(server, "3fa8").status == 200
    reply = load(server, "0000")
    assert reply.status == 500
    assert "is not a model that XGBoost can load" in reply.json["error"]
    assert load(server, "gone").status == 404
    assert server.request("POST", "/models", "{}").status == 400
    bad = server.request("POST", "/models/3fa8/invoke", "1,2", Content_Type="text/csv")
    assert (bad.status, bad.json["row"]) == (400, 1)
    assert server.request(
        "POST", "/models/3fa8/invoke", csv(models.rows[0]), Content_Type="text/csv"
    ).status == 200  # fmt: skip


def used(server):
    """Bytes of all processes of the container, shared pages counted once."""
    code = """
import os
total = 0
for pid in filter(str.isdigit, os.listdir("/proc")):
    try: text = open(f"/proc/{pid}/smaps_rollup").read()
    except OSError: continue
    if "python" in os.path.basename(os.readlink(f"/proc/{pid}/exe")) and int(pid) != os.getpid():
        total += int(text.split("Pss:")[1].split()[0]) << 10
print(total)
"""
    return int(server.inside(code))


def test_unloading_gives_the_memory_back(server):  # D5.6
    load(server, "3fa8")
    server.request("DELETE", "/models/3fa8")
    before = used(server)
    for _ in range(3):
        assert load(server, "b71c").status == 200
        assert used(server) > before + (20 << 20)
        assert server.request("DELETE", "/models/b71c").status == 200
        assert used(server) < before + (4 << 20)


def test_no_room_is_507(models, serve, tmp_path):  # D5.3
    (tmp_path / "xgboost-model").write_bytes(b"\0" * (60 << 20))
    mounts = {place("big"): str(tmp_path), place("3fa8"): models["binary"]}
    server = serve(environment=MULTI, mounts=mounts, mem_limit="192m").wait()
    reply = load(server, "big")
    assert reply.status == 507
    assert re.search(r"needs about \d+ MB; \d+ MB are free", reply.json["error"])
    assert load(server, "3fa8").status == 200


def test_a_crashed_model_can_be_loaded_again(models, serve, tmp_path):
    code = tmp_path / "code"
    code.mkdir()
    (code / "inference.py").write_text(
        "import os\ndef model_fn(d): return 1\n"
        "def transform_fn(m, body, c, a):\n    os._exit(9) if body == 'die' else None\n"
        "    return 'alive'\n"
    )
    mounts = {place("mine"): str(tmp_path), place("3fa8"): models["binary"]}
    server = serve(environment=MULTI, mounts=mounts).wait()
    load(server, "3fa8")
    assert load(server, "mine").status == 200
    invoke = ("POST", "/models/mine/invoke")
    assert server.request(*invoke, "hello", Content_Type="text/csv").body == b"alive"
    assert server.request(*invoke, "die", Content_Type="text/csv").status == 503
    assert server.request(*invoke, "hello", Content_Type="text/csv").status in (404, 503)
    assert load(server, "mine").status == 200
    assert server.request(*invoke, "hello", Content_Type="text/csv").body == b"alive"
    assert len(server.request("GET", "/models").json["models"]) == 2


def test_a_stop_ends_every_model(server):  # D1.4
    load(server, "3fa8")
    load(server, "b71c")
    server.container.kill("SIGTERM")
    assert server.ended() == 0
