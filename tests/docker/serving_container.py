"""One serving container as the platform starts it, and a client outside of it.

Models and the answers to expect of them are made once, by XGBoost and scikit-learn in the base
image: what the server says is compared with the libraries themselves.
"""

from __future__ import annotations

import http.client
import io
import json
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import docker
import numpy as np
import pytest
from docker.models.containers import Container

from sagedock.contract.paths import ML

MAKE_MODELS = """
import joblib, numpy as np, os, xgboost as xgb
from sklearn.ensemble import RandomForestClassifier
random = np.random.default_rng(0)
X = random.normal(0, 30, (2000, 20)).round(2).astype(np.float32)
X[random.random(X.shape) < 0.02] = np.nan
X[:1000, :] = np.nan_to_num(X[:1000, :])
y = (np.nan_to_num(X[:, 0]) + random.normal(0, 10, 2000) > 0).astype(int)
np.save("/out/X.npy", X)
def save(name, booster, file="xgboost-model"):
    os.makedirs(f"/out/{name}", exist_ok=True)
    booster.save_model("/out/model.ubj")
    os.replace("/out/model.ubj", f"/out/{name}/{file}")
def expect(name, booster, **more):
    np.save(f"/out/{name}.npy", booster.predict(xgb.DMatrix(X), **more))
data = xgb.DMatrix(X, y)
binary = xgb.train({"objective": "binary:logistic", "max_depth": 5}, data, 40)
save("binary", binary); expect("binary", binary)
early = xgb.train({"objective": "binary:logistic"}, xgb.DMatrix(X[:1000], y[:1000]), 60,
                  evals=[(xgb.DMatrix(X[1000:], y[1000:]), "v")], early_stopping_rounds=3,
                  verbose_eval=False)
save("early", early); expect("early", early, iteration_range=(0, early.best_iteration + 1))
assert early.best_iteration + 1 < early.num_boosted_rounds()
three = xgb.DMatrix(X, y + (X[:, 1] > 9))
soft = xgb.train({"objective": "multi:softprob", "num_class": 3}, three, 10)
save("softprob", soft); expect("softprob", soft)
filled = xgb.DMatrix(np.nan_to_num(X), y)
linear = xgb.train({"booster": "gblinear", "objective": "reg:squarederror"}, filled, 5)
save("linear", linear); expect("linear", linear)
for fold, seed in enumerate((1, 2)):
    half = {"objective": "binary:logistic", "subsample": 0.5, "seed": seed}
    one = xgb.train(half, data, 10)
    save("folds", one, f"xgboost-model-{fold}"); expect(f"fold-{fold}", one)
    (open("/out/folds/metrics.json", "w")).write("{}")
os.makedirs("/out/document", exist_ok=True)
binary.save_model("/out/document/model.json")
(open("/out/document/metrics.json", "w")).write('{"auc": 0.9}')
forest = RandomForestClassifier(30, random_state=0, n_jobs=2).fit(np.nan_to_num(X), y)
os.makedirs("/out/forest", exist_ok=True)
joblib.dump(forest, "/out/forest/model.joblib")
np.save("/out/forest.npy", forest.predict(np.nan_to_num(X)))
os.makedirs("/out/broken", exist_ok=True)
open("/out/broken/xgboost-model", "wb").write(b"no model")
"""


@dataclass(frozen=True, kw_only=True)
class Models:
    """Folders of models, the rows they are asked, and what the libraries themselves say."""

    folder: Path

    @property
    def rows(self) -> np.ndarray:
        return np.load(self.folder / "X.npy")

    def expected(self, name: str) -> np.ndarray:
        return np.load(self.folder / f"{name}.npy")

    def __getitem__(self, name: str) -> str:
        return str(self.folder / name)


@dataclass(frozen=True, kw_only=True)
class Reply:
    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Server:
    """A running container and the address of its port on this machine."""

    def __init__(self, container: Container, port: int) -> None:
        self.container = container
        self.inner = port
        self.started = time.monotonic()

    @property
    def port(self) -> int:
        self.container.reload()
        return int(self.container.ports[f"{self.inner}/tcp"][0]["HostPort"])

    @property
    def log(self) -> str:
        return self.container.logs().decode("utf-8", "replace")

    def connect(self, seconds: float = 30) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)

    def request(
        self, method: str, path: str, body: Any = None, seconds: float = 30, **headers: str
    ) -> Reply:
        """Header names are given with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection = self.connect(seconds)
        try:
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            return Reply(status=answer.status, body=answer.read(), headers=answer.headers)
        finally:
            connection.close()

    def invoke(self, body: Any, content_type: str = "text/csv", **headers: str) -> Reply:
        return self.request("POST", "/invocations", body, Content_Type=content_type, **headers)

    def ping(self) -> int:
        """Status, 0 when nobody answers."""
        try:
            return self.request("GET", "/ping", seconds=5).status
        except (OSError, http.client.HTTPException, KeyError, IndexError):
            return 0

    def wait(self, seconds: float = 60) -> Server:
        end = time.monotonic() + seconds
        while self.ping() != 200:
            self.container.reload()
            assert self.container.status in ("created", "running"), self.log
            assert time.monotonic() < end, self.log
            time.sleep(0.02)
        return self

    def ended(self, seconds: int = 60) -> int:
        return int(self.container.wait(timeout=seconds)["StatusCode"])

    def inside(self, code: str) -> str:
        """What a Python program prints that runs in the container."""
        done = self.container.exec_run(["python3", "-c", code])
        assert done.exit_code == 0, done.output.decode()
        return done.output.decode().strip()


Serve = Callable[..., Server]


@pytest.fixture(scope="session")
def models(images: Mapping[str, str], docker_cli: Any, tmp_path_factory: Any) -> Models:
    folder = tmp_path_factory.mktemp("models")
    docker_cli(
        "run", "--rm", "--network", "none", "-v", f"{folder}:/out", images["base"],
        "python3", "-c", MAKE_MODELS,
    )  # fmt: skip
    return Models(folder=folder)


@pytest.fixture
def serve(engine: docker.DockerClient, images: Mapping[str, str]) -> Iterator[Serve]:
    made: list[Container] = []
    yield partial(_serve, engine, images["serving"], made)
    for container in made:
        container.remove(force=True, v=True)


@pytest.fixture(scope="module")
def shared(engine: docker.DockerClient, images: Mapping[str, str]) -> Iterator[Serve]:
    """Servers that several tests of a file ask: one for each set of arguments."""
    made: list[Container] = []
    known: dict[str, Server] = {}

    def get(**arguments: Any) -> Server:
        key = repr(sorted(arguments.items()))
        if key not in known:
            known[key] = _serve(engine, images["serving"], made, **arguments).wait()
        return known[key]

    yield get
    for container in made:
        container.remove(force=True, v=True)


def _serve(
    engine: docker.DockerClient,
    standard: str,
    made: list[Container],
    *,
    image: str = "",
    model: str = "",
    code: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    mounts: Mapping[str, str] | None = None,
    port: int = 8080,
    **more: Any,
) -> Server:
    """`model` is mounted read-only (D2.3); `code` becomes /opt/ml/model/code of a server without
    a mounted model."""
    volumes = {path: {"bind": place, "mode": "ro"} for place, path in (mounts or {}).items()}
    if model:
        volumes[model] = {"bind": ML.model, "mode": "ro"}
    container = engine.containers.create(
        image or standard,
        ["serve"],
        labels={"sagedock": "test", "sagedock.kind": "serving"},
        environment=dict(environment or {}),
        volumes=volumes,
        **{"ports": {f"{port}/tcp": ("127.0.0.1", None)}, **more},
    )
    made.append(container)
    if code is not None:
        container.put_archive("/", _archive({f"{ML.model}/code/{n}": t for n, t in code.items()}))
    container.start()
    return Server(container, port)


def _archive(tree: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, content in tree.items():
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode = len(content.encode()), 0o644
            archive.addfile(entry, io.BytesIO(content.encode()))
    return buffer.getvalue()


def csv(rows: Any) -> bytes:
    """Rows as the text a client sends: empty for missing."""
    cells = [["" if np.isnan(v) else repr(float(v)) for v in row] for row in np.atleast_2d(rows)]
    return "\n".join(",".join(row) for row in cells).encode()


def numbers(body: bytes) -> np.ndarray:
    """An answer of one column."""
    return np.array(body.decode().split("\n"), np.float32)
