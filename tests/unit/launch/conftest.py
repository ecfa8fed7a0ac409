"""An account of AWS in this process; a proxy in between can break what passes."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from faulty_proxy import FaultyProxy
from sagedock.aws.account import Account
from sagedock.aws.prices import PriceTable
from sagedock.engine.plan import LogLine
from sagedock.launch.aws.session import AwsSession
from sagedock.launch.aws.watching import Pace
from sagedock.local.records import Job
from sagedock.local.settings import LocalSettings
from sagedock.server.application import LocalAWS
from sagedock.server.http import Listener

NUMBER = "123456789012"
QUICK = Pace(first=0.05, most=0.05, silence=0.3, trouble=5)


class Heard:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.statuses: list[str] = []
        self.notes: list[str] = []
        self.doings: list[str] = []

    def status(self, job: Job) -> None:
        self.statuses.append(job.state.transitions[-1].status)

    def log(self, line: LogLine) -> None:
        self.lines.append(line.text)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def doing(self, text: str) -> None:
        self.doings.append(text)


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
