"""Containers and endpoints that are closed after the test."""

import pytest
from hosting_server import Container, World

from sagedock.local.hosting.calls.runtime import LocalRuntime


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path / "data")
    yield world
    world.close()


@pytest.fixture
def runtime(world):
    runtime = LocalRuntime(world.settings)
    yield runtime
    runtime.close()


@pytest.fixture
def container():
    """Makes containers: `container(answer)`, or of another class with its own arguments."""
    made = []

    def make(*arguments, kind=Container, **settings):
        made.append(kind(*arguments, **settings))
        return made[-1]

    yield make
    for item in made:
        item.close()
