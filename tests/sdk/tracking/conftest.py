"""A real MLflow server: the one that SDK v3 brings with it, at the address of the engine's bridge,
which this machine and containers both reach."""

import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient

from sagedock.engine.docker import Engine

STARTS_WITHIN = 120


@pytest.fixture(scope="session")
def server(
    environments: Mapping[str, Path],
    clean: Callable[[], dict[str, str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """Its tracking URI."""
    folder = tmp_path_factory.mktemp("mlflow")
    address, port = _bridge(), _free_port(_bridge())
    command = [environments["v3"] / "mlflow", "server", "--host", address, "--port", str(port),
               "--backend-store-uri", f"sqlite:///{folder / 'runs.db'}",
               "--default-artifact-root", folder / "artifacts", "--workers", "1",
               "--allowed-hosts", "*"]  # fmt: skip
    environment = {**clean(), "PATH": f"{environments['v3']}:{clean()['PATH']}"}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            _wait(f"http://{address}:{port}/health", process, folder / "log")
            yield f"http://{address}:{port}"
        finally:
            process.terminate()
            process.wait(30)
    shutil.rmtree(folder)


@pytest.fixture
def runs(server: str) -> MlflowClient:
    return MlflowClient(tracking_uri=server)


def _bridge() -> str:
    with closing(Engine.connect()) as engine:
        address = engine.bridge_address()
    assert address, "the engine has no bridge"
    return address


def _free_port(address: str) -> int:
    with socket.create_server((address, 0)) as door:
        return door.getsockname()[1]


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.2)
    pytest.fail(f"no MLflow after {STARTS_WITHIN} s:\n{log.read_text()[-3000:]}")
