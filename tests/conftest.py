"""The one option of all tests (do those that need a Docker engine run?), Hypothesis' profile."""

import signal

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says something of the machine, which is shared, not of the code.
settings.register_profile("sagedock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("sagedock")

# A shell starts a job in the background with SIGINT ignored, nohup ignores SIGHUP, and what is
# ignored stays ignored in every child: tests of signals would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
for number in (signal.SIGHUP, signal.SIGTERM):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--docker",
        action="store_true",
        help="run the tests under tests/docker; an engine that is missing is then a failure",
    )
