"""A real S3Service behind a real listener, and clients to it: what the tests here share."""

from __future__ import annotations

import http.client
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.session import get_session

from sagedock.server.http import Listener
from sagedock.server.s3.service import S3Service
from sagedock.store.disk import DiskStore

REGION = "us-east-1"
BUCKET = "bucket"


@dataclass(frozen=True, kw_only=True)
class Credentials:
    access_key: str = "AKIDEXAMPLE"
    secret_key: str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


KEY = Credentials()


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """S3's code in an error."""
        return self.body.decode().partition("<Code>")[2].partition("</Code>")[0]


@dataclass(frozen=True, kw_only=True)
class Server:
    """`folder` is the data folder, `store` what jobs would use."""

    port: int
    folder: Path
    store: DiskStore

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, key: Credentials = KEY, **settings: Any) -> Any:
        """botocore's client of the service."""
        return get_session().create_client(
            "s3",
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id=key.access_key,
            aws_secret_access_key=key.secret_key,
            config=Config(
                retries={"max_attempts": 1, "mode": "standard"},
                s3={"addressing_style": "path"},
                **settings,
            ),
        )

    def send(
        self, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """A request as it stands, without a signature."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, target, body, dict(headers or {}))
            response = connection.getresponse()
            fields = {name.lower(): value for name, value in response.getheaders()}
            return Answer(status=response.status, headers=fields, body=response.read())
        finally:
            connection.close()

    def put(self, bucket: str, key: str, data: bytes = b"", **headers: str) -> Answer:
        """A plain PUT; names of header fields with '_' for '-'."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.send("PUT", f"/{bucket}/{quote(key, safe='')}", data, fields)

    def get(self, bucket: str, key: str, **headers: str) -> Answer:
        """A plain GET."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.send("GET", f"/{bucket}/{quote(key, safe='')}", b"", fields)


@contextmanager
def serving(folder: Path, credentials: Credentials | None = KEY) -> Iterator[Server]:
    """The service on `folder`, until the end of the block."""
    store = DiskStore(folder)
    service = S3Service(store, region=REGION, credentials=credentials)
    listener = Listener(("127.0.0.1", 0), service)
    thread = listener.start()
    try:
        yield Server(port=listener.server_port, folder=folder, store=store)
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()
        service.close()
        store.close()


def code(call: Any, **arguments: Any) -> str:
    """The error code that a client's call ends with."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return str(caught.value.response["Error"]["Code"])
