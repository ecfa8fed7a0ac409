"""Clients of S3 that others have written, each as its users use it, against S3 on this machine.

    docker/ensure-s3-clients.sh && pytest --docker tests/sdk/s3

The clients live in an environment of their own; the service runs in this process, on a new data
folder. No container is needed.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from sdk_kit import ROOT, finished

sys.path.insert(0, str(ROOT / "tests" / "unit" / "server" / "s3"))
from s3_server import KEY, REGION, Server, serving

PROGRAMS = Path(__file__).parent / "programs"


@pytest.fixture(scope="session", autouse=True)
def images() -> Mapping[str, str]:
    """None are needed here."""
    return {}


@pytest.fixture(scope="session")
def clients() -> Path:
    """The folder with the clients, made where it isn't there yet. Without it the run fails."""
    done = subprocess.run(
        [ROOT / "docker" / "ensure-s3-clients.sh"], stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        pytest.exit("the clients of S3 can't be had: see the lines above", returncode=1)
    return ROOT / done.stdout.strip()


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("data")) as server:
        yield server


@pytest.fixture
def client_run(clients: Path, s3: Server, tmp_path: Path) -> Callable[..., str]:
    """`client_run(command…)`: what it printed. It finds the service and a home of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment = {
        **kept,
        "PATH": f"{clients / 'bin'}:{kept['PATH']}",
        "HOME": str(tmp_path),
        "NODE_PATH": str(clients / "node_modules"),
        "AWS_ENDPOINT_URL": s3.url,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": KEY.access_key,
        "AWS_SECRET_ACCESS_KEY": KEY.secret_key,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
    }

    def run(*command: object, limit: float = 60, **more: str) -> str:
        words = [str(word) for word in command]
        return finished(words, {**environment, **more}, limit).stdout

    return run
