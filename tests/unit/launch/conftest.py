"""An account of AWS in this process; a proxy in between can break what passes."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aws_kit import NUMBER, QUICK, Heard

from faulty_proxy import FaultyProxy
from sagedock.aws.account import Account
from sagedock.aws.prices import PriceTable
from sagedock.launch.aws.session import AwsSession
from sagedock.local.settings import LocalSettings
from sagedock.server.application import LocalAWS
from sagedock.server.http import Listener


@pytest.fixture
def server_data(tmp_path: Path) -> Path:
    """The data folder behind the account."""
    return tmp_path / "aws"


@pytest.fixture
def proxy(server_data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyProxy]:
    """All that the account is asked goes through it."""
    settings = LocalSettings(data=server_data, region="eu-west-1", account=NUMBER)
    application = LocalAWS(settings)
    listener = Listener(("127.0.0.1", 0), application)
    listener.start()
    with FaultyProxy(*listener.server_address[:2]) as proxy:
        for name, value in {
            "AWS_ENDPOINT_URL": proxy.url,
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_CONFIG_FILE": "/nonexistent",
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("AWS_PROFILE", raising=False)
        yield proxy
    listener.shutdown()
    listener.server_close()
    application.close()


@pytest.fixture
def account(proxy: FaultyProxy) -> Account:
    return Account("eu-west-1")


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def session_of(account: Account, heard: Heard) -> Iterator[Callable[..., AwsSession]]:
    """`session_of(role=…)`: a session on the account."""
    made: list[AwsSession] = []

    def session(**changes: Any) -> AwsSession:
        given = {"listener": heard, "pace": QUICK, "prices": PriceTable(), **changes}
        made.append(AwsSession(account, **given))
        return made[-1]

    yield session
    for one in made:
        one.close()


@pytest.fixture
def far(session_of: Callable[..., AwsSession]) -> AwsSession:
    return session_of()
