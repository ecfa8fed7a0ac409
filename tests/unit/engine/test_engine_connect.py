"""Finding the engine: who does not answer is named, and nothing is left open on the way."""

import gc
import socket
import warnings
from pathlib import Path

import pytest

from sagedock.engine.docker import Engine
from sagedock.errors import EngineUnavailableError


def refused(address: str) -> str:
    with warnings.catch_warnings(record=True) as left_open:
        warnings.simplefilter("always", ResourceWarning)
        with pytest.raises(EngineUnavailableError) as caught:
            Engine.connect(address)
        words = str(caught.value)
        del caught
        gc.collect()
    assert not left_open
    return words.splitlines()[0]


def test_a_socket_that_is_not_there_is_named(tmp_path: Path) -> None:
    address = f"unix://{tmp_path}/no.sock"
    assert refused(address) == f"No Docker engine answers at {address}."


def test_a_socket_that_nobody_listens_on_is_named(tmp_path: Path) -> None:
    path = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))
    assert refused(f"unix://{path}") == f"No Docker engine answers at unix://{path}."


def test_a_port_that_nobody_listens_on_is_named() -> None:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{door.getsockname()[1]}"
        assert refused(address) == f"No Docker engine answers at {address}."
