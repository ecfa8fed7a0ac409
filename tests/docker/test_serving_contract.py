"""Rows of contract D, E and H5 that no other file about the serving image shows."""

import json
import os
import shutil
import time

import numpy as np
import pytest
from serving_container import csv, numbers

import sagedock
from sagedock.images import find_root
from sagedock.images.build import Builder
from sagedock.images.plan import BuildPlan, proxy_names, secrets

UNPRIVILEGED = {"user": "1234:1234", "read_only": True, "tmpfs": {"/tmp": ""}}
MULTI = {"SAGEMAKER_MULTI_MODEL": "true"}


# ---- the image (D1, D6) --------------------------------------------------------------------------


def test_serve_is_on_the_path_and_nothing_stands_before_it(images, docker_cli):  # D1.1, D1.2, D1.5
    found = json.loads(
        docker_cli("image", "inspect", "-f", "{{json .Config}}", images["serving"]).stdout
    )
    assert not found.get("Entrypoint")
    assert found["Cmd"] == ["serve"]
    assert not found.get("User")  # D1.3: root on an instance
    which = docker_cli(
        "run", "--rm", "--network", "none", images["serving"],
        "python3", "-c", "import shutil; print(shutil.which('serve'))",
    )  # fmt: skip
    assert which.stdout.strip() == "/opt/venv/bin/serve"


def test_what_serves_can_be_read_by_anybody(images, docker_cli):  # D6.4
    find = ["find", "/opt", "/usr", "/etc/ssl", "-xdev", "("]
    closed = docker_cli(
        "run", "--rm", "--network", "none", images["serving"], *find,
        "-type", "f", "!", "-perm", "-o+r", "-o", "-type", "d", "!", "-perm", "-o+rx", ")",
        "!", "-path", "*/ssl/private*",
    )  # fmt: skip
    assert closed.stdout == ""


def test_the_image_is_at_most_300_megabytes(images, docker_cli):  # D6.1
    size = docker_cli("image", "inspect", "-f", "{{.Size}}", images["serving"]).stdout
    assert int(size) <= 300_000_000


@pytest.mark.parametrize("name", ["binary", "forest"])
def test_the_smallest_serverless_memory(name, models, serve):  # D6.2, D6.3
    start = time.monotonic()
    server = serve(
        model=models[name], mem_limit="1024m", memswap_limit="1024m", **UNPRIVILEGED
    ).wait()
    assert time.monotonic() - start < 30  # 180 s are allowed
    rows = np.nan_to_num(models.rows) if name == "forest" else models.rows
    for _ in range(5):
        reply = server.invoke(csv(rows))
        np.testing.assert_array_equal(numbers(reply.body), models.expected(name))


def test_models_beside_the_model(models, serve, tmp_path):  # D2.6
    (tmp_path / "words").mkdir()
    (tmp_path / "words/words.txt").write_text("beside")
    code = """
def model_fn(d): return open("/opt/ml/additional-model-data-sources/words/words.txt").read()
def transform_fn(model, body, content_type, accept): return model
"""
    folder = tmp_path / "model/code"
    folder.mkdir(parents=True)
    (folder / "inference.py").write_text(code)
    server = serve(
        mounts={
            "/opt/ml/model": str(tmp_path / "model"),
            "/opt/ml/additional-model-data-sources/words": str(tmp_path / "words"),
        },
        **UNPRIVILEGED,
    ).wait()
    assert server.invoke("1").body == b"beside"


# ---- HTTP (D3) -----------------------------------------------------------------------------------


def test_ping_passes_from_outside_soon_and_goes_on_passing(models, serve):  # D3.1, D3.2, D3.3
    start = time.monotonic()
    server = serve(model=models["binary"]).wait()
    assert time.monotonic() - start < 20  # 480 s are allowed
    times = []
    for _ in range(5):
        begun = time.monotonic()
        assert server.ping() == 200
        times.append(time.monotonic() - begun)
    assert max(times) < 2


def test_an_answer_may_take_its_time(serve):  # D3.8
    code = """
import time
def model_fn(d): return None
def transform_fn(model, body, content_type, accept):
    time.sleep(float(body))
    return "late"
"""
    server = serve(code={"inference.py": code}).wait()
    reply = server.request("POST", "/invocations", "15", seconds=60, Content_Type="text/csv")
    assert (reply.status, reply.body) == (200, b"late")


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("text/csv", "text/csv"), ("application/json", "application/json"),
        ("application/jsonlines", "application/jsonlines"), ("*/*", "text/csv"),
        ("application/x-recordio-protobuf", "application/x-recordio-protobuf"),
        ("text/html, application/json;q=0.9", "application/json"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("rows", [1, 3])
def test_answers_are_of_the_type_that_is_accepted(
    rows, accept, content_type, models, shared
):  # D3.12, H5.6
    reply = shared(model=models["binary"]).invoke(csv(models.rows[:rows]), Accept=accept)
    assert (reply.status, reply.headers["content-type"]) == (200, content_type)


@pytest.mark.parametrize("body", [b"", b"\n", b"\r\n\r\n"])
def test_an_empty_body_is_400(body, models, shared):
    """H5.5: the built-in container says 204, an answer without a body, which InvokeEndpoint can't
    tell from a prediction that is empty. Here it is the caller's mistake."""
    reply = shared(model=models["binary"]).invoke(body)
    assert reply.status == 400
    assert "no" in reply.json["error"]


def test_an_index_of_libsvm_is_the_same_column_in_any_company(models, shared):
    """H5.7: the built-in container shifts a payload's indices by one when the smallest is 1 or
    more. Here an index always is the column that it was in training."""
    server = shared(model=models["binary"])
    rows = np.full((2, 20), np.nan, np.float32)
    rows[0, 1], rows[1, 0] = 12.5, -7
    together = numbers(server.invoke("1:12.5\n0:-7", "text/libsvm").body)
    alone = [numbers(server.invoke(line, "text/libsvm").body)[0] for line in ("1:12.5", "0:-7")]
    same = numbers(server.invoke(csv(rows)).body)
    np.testing.assert_array_equal(together, same)
    np.testing.assert_array_equal(alone, same)


def test_the_answer_of_one_container_is_the_request_of_the_next(models, shared):  # D5.13
    first, second = shared(model=models["linear"]), shared(model=models["binary"])
    values = first.invoke(csv(np.nan_to_num(models.rows[:20]))).body
    row = b",".join(values.split(b"\n"))
    reply = second.invoke(row, first.invoke(csv(np.zeros(20))).headers["content-type"])
    assert (reply.status, len(numbers(reply.body))) == (200, 1)


# ---- many models (D5) ----------------------------------------------------------------------------


def load(server, name, url):
    document = json.dumps({"model_name": name, "url": url})
    return server.request("POST", "/models", document, Content_Type="application/json").status


def test_files_may_vanish_after_the_load(models, serve, tmp_path):  # D5.8, D5.9
    for name in ("binary", "forest"):
        shutil.copytree(models[name], tmp_path / name)
    tmp_path.chmod(0o755)
    server = serve(environment=MULTI, mounts={"/opt/ml/models": str(tmp_path)}).wait()
    names = {"5f0c/1 %2F": "binary", "00e1": "forest"}
    for name, model in names.items():
        assert load(server, name, f"/opt/ml/models/{model}") == 200
        shutil.rmtree(tmp_path / model)
    rows = np.nan_to_num(models.rows[:1000])
    for name, path in (("5f0c/1 %2F", "5f0c%2F1%20%252F"), ("00e1", "00e1")):
        reply = server.request("POST", f"/models/{path}/invoke", csv(rows), Content_Type="text/csv")
        expected = models.expected(names[name])[:1000]
        np.testing.assert_array_equal(numbers(reply.body), expected)
        assert server.request("GET", f"/models/{path}").json["modelName"] == name
        assert server.request("DELETE", f"/models/{path}").status == 200


def test_many_models_listen_on_no_further_port(models, serve):  # D5.2, D5.11, D5.12
    server = serve(
        port=8123,
        environment={**MULTI, "SAGEMAKER_BIND_TO_PORT": "8123"},
        mounts={"/opt/ml/models/a": models["binary"]},
    ).wait()
    assert server.request("GET", "/models").json == {"models": []}  # D5.4
    assert load(server, "a", "/opt/ml/models/a") == 200
    listeners = server.inside(
        "print(*(l.split()[1] for f in ('tcp', 'tcp6') for l in open('/proc/net/' + f)"
        " if l.split()[3] == '0A'))"
    )
    assert listeners == "00000000:1FBB"
    assert server.request("GET", "/execution-parameters").json["MaxPayloadInMB"] == 6  # E3


# ---- Parquet -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def with_parquet(images, docker_cli, tmp_path_factory):
    """The image of containers/serving/parquet, built with this machine's package index."""
    root, context = find_root(), tmp_path_factory.mktemp("parquet")
    shutil.copy(root / "containers/serving/parquet/Dockerfile", context)
    shutil.copy(root / "containers/tools/network.sh", context)
    plan = BuildPlan(
        context=context,
        dockerfile=context / "Dockerfile",
        tags=("sagedock-test/serving-parquet:latest",),
        build_args={"PARENT": images["serving"]},
        forwarded=proxy_names(os.environ),
        secrets=secrets(os.environ),
        labels={},
    )
    builder = Builder(
        root=context, version=sagedock.__version__, environ=os.environ, report=lambda line: None
    )
    builder.execute("serving-parquet", plan)
    yield plan.tags[0]
    docker_cli("image", "rm", plan.tags[0])


WRITE = """
import sys, io, numpy as np, arro3.core as core, arro3.io
rows = np.load("/rows/X.npy")
def column(values):
    cells = [None if np.isnan(v) else float(v) for v in values]
    return core.Array(cells, type=core.DataType.float32())
names = {f"f{i}": column(rows[:, i]) for i in range(rows.shape[1])}
if sys.argv[1:] == ["words"]:
    names["f3"] = core.Array(["x"] * len(rows), type=core.DataType.string())
file = io.BytesIO()
arro3.io.write_parquet(core.Table(names), file)
sys.stdout.write(file.getvalue().hex())
"""


def test_parquet_where_a_reader_is_installed(with_parquet, models, serve, docker_cli):
    def written(*arguments):
        return bytes.fromhex(
            docker_cli(
                "run", "--rm", "-v", f"{models.folder}:/rows:ro", with_parquet,
                "python3", "-c", WRITE, *arguments,
            ).stdout
        )  # fmt: skip

    server = serve(model=models["binary"], image=with_parquet, **UNPRIVILEGED).wait()
    body = written()
    reply = server.invoke(body, "application/x-parquet")
    np.testing.assert_array_equal(numbers(reply.body), models.expected("binary"))
    reply = server.invoke(written("words"), "application/x-parquet")
    assert (reply.status, reply.json["column"]) == (400, 4)
    for bad in (b"junk", b"PAR1" + b"x" * 20 + b"PAR1", body[:-30] + body[-8:]):
        reply = server.invoke(bad, "application/x-parquet")
        assert (reply.status, "not a Parquet file" in reply.json["error"]) == (400, True)
    assert server.ping() == 200
