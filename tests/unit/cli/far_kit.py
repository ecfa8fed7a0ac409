"""A local AWS endpoint in this process, and `sagedock … --aws` as a program that knows only its
address: nothing of the data folder behind it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sagedock.local.settings import LocalSettings
from sagedock.server.application import LocalAWS
from sagedock.server.http import Listener

SAGEDOCK = Path(sys.executable).with_name("sagedock")

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret",
}


@contextmanager
def local_aws(data: Path) -> Iterator[tuple[str, int]]:
    """Its address, until the block ends."""
    application = LocalAWS(LocalSettings(data=data))
    listener = Listener(("127.0.0.1", 0), application)
    listener.start()
    try:
        yield listener.server_address[:2]
    finally:
        listener.shutdown()
        listener.server_close()
        application.close()


def settings(tmp_path: Path, url: str, **more: str) -> dict[str, str]:
    """What a program is told of its environment: no other account, no data of its own."""
    return {
        "SAGEDOCK_DATA": str(tmp_path / "elsewhere"),
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
        **CREDENTIALS,
        **more,
    }


def refusal(code: str, message: str) -> bytes:
    """An error in the JSON protocol's words."""
    return json.dumps({"__type": code, "message": message}).encode()
