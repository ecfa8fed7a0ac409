"""Builds by the command line, in the real engine."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from build_kit import Images


@pytest.fixture(scope="module")
def builds(docker_cli: Callable[..., Any], images: Mapping[str, str]) -> Iterator[Images]:
    made = Images(docker_cli)
    yield made
    made.close()
