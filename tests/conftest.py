"""The one option of all tests (do those that need a Docker engine run?), Hypothesis' profile."""

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says something of the machine, which is shared, not of the code.
settings.register_profile("sagedock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("sagedock")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--docker",
        action="store_true",
        help="run the tests under tests/docker; an engine that is missing is then a failure",
    )
