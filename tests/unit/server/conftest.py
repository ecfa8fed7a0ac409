"""A local AWS endpoint in this process, and boto3 clients that know only its address."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from sagedock.local.settings import LocalSettings
from sagedock.server.application import LocalAWS
from sagedock.server.http import Listener


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[LocalAWS]:
    application = LocalAWS(LocalSettings(data=tmp_path / "data"))
    yield application
    application.close()


@pytest.fixture
def address(aws: LocalAWS) -> Iterator[tuple[str, int]]:
    listener = Listener(("127.0.0.1", 0), aws)
    listener.start()
    yield listener.server_address[:2]  # type: ignore[misc]
    listener.shutdown()
    listener.server_close()


@pytest.fixture
def boto(address: tuple[str, int]) -> Callable[..., Any]:
    """`boto("sagemaker")`: a client that tries nothing twice."""

    def client(service: str, **more: Any) -> Any:
        return boto3.client(
            service,
            endpoint_url=f"http://{address[0]}:{address[1]}",
            region_name="us-east-1",
            aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
            aws_secret_access_key="secret",
            config=Config(retries={"total_max_attempts": 1}, **more),
        )

    return client
