"""A bench for each test, and a look at what the test left behind in the engine."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from local_kit import Bench, until

from sagedock.local.client import data_id
from sagedock.local.settings import LocalSettings

Docker = Callable[..., "subprocess.CompletedProcess[str]"]  # noqa: F821


@pytest.fixture
def settings(tmp_path: Path) -> LocalSettings:
    """This machine's settings, with a short grace: the service's is two minutes."""
    machine = LocalSettings.from_environment(data=tmp_path / "data")
    return LocalSettings(**vars(machine) | {"stop_grace": 2.0})


@pytest.fixture
def bench(
    tmp_path: Path, images: Mapping[str, str], settings: LocalSettings, spotless: None
) -> Iterator[Bench]:
    """Runs jobs in the image `base`, whose Python is all that most programs here need."""
    bench = Bench(tmp_path, images["base"], settings)
    yield bench
    bench.close()


@pytest.fixture
def spotless(settings: LocalSettings, docker_cli: Docker) -> Iterator[None]:
    """After the test nothing of its jobs is left: no container, volume, network, staged input."""
    label, started = f"label=sagedock={data_id(settings.data)}", time.time()
    yield
    # A job of another process has ended for everyone just before its container is removed.
    until(lambda: docker_cli("ps", "-aq", "--filter", label).stdout == "", "no container is left")
    assert docker_cli("network", "ls", "-q", "--filter", "label=sagedock").stdout == ""
    volumes = set(docker_cli("volume", "ls", "-q").stdout.split())
    assert not volumes & _volumes_since(started, label, docker_cli)
    until(lambda: not list(settings.data.glob("jobs/*/*/inputs")), "no input is left", 5)
    assert not list(settings.data.rglob("*.partial"))


def _volumes_since(started: float, label: str, docker_cli: Docker) -> set[str]:
    """Volumes that containers with the label have mounted since."""
    now = f"{time.time():.6f}"
    window = ("--since", f"{started:.6f}", "--until", now, "--format", "{{json .}}")
    made = docker_cli("events", *window, "--filter", label, "--filter", "event=create").stdout
    ours = {json.loads(line)["Actor"]["ID"] for line in made.splitlines()}
    mounts = docker_cli("events", *window, "--filter", "event=mount").stdout
    actors = [json.loads(line)["Actor"] for line in mounts.splitlines()]
    return {actor["ID"] for actor in actors if actor["Attributes"].get("container") in ours}
