"""Tests in real containers: left out unless asked for, and never skipped once they are.

make test-docker        or        pytest --docker tests/docker
"""

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from serving_container import models, serve, shared  # noqa: F401  (fixtures of several files)
from training_container import engine, job  # noqa: F401

import sagedock
from sagedock.errors import SagedockError
from sagedock.images import build, find_root

NAMES = ("base", "training", "processing", "serving")
HERE = Path(__file__).parent
Docker = Callable[..., "subprocess.CompletedProcess[str]"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    ours = [item for item in items if HERE in item.path.parents]
    if ours and not config.getoption("--docker"):
        config.hook.pytest_deselected(items=ours)
        items[:] = [item for item in items if HERE not in item.path.parents]


@pytest.fixture(scope="session", autouse=True)
def images() -> Mapping[str, str]:
    """The project's images, up to date: name -> tag. Without them nothing here can be tested, so
    the whole run ends, and as a failure."""
    try:
        built = build(NAMES, root=find_root(), version=sagedock.__version__, environ=os.environ)
    except SagedockError as error:
        pytest.exit(f"tests in containers were asked for, and can't run: {error}", returncode=1)
    return {image.name: image.tags[0] for image in built}


@pytest.fixture(scope="session")
def docker_cli() -> Docker:
    """`docker ARGUMENTS…`, waited for; `check=False` to look at a failure. stdout is text."""

    def run(*arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            ["docker", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            pytest.fail(f"docker {' '.join(arguments)} ended with {done.returncode}: {done.stderr}")
        return done

    return run
