"""The one option of all tests: whether those that need a Docker engine run."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--docker",
        action="store_true",
        help="run the tests under tests/docker; an engine that is missing is then a failure",
    )
