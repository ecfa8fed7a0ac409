"""One server and a client to it for all tests of a file, with a bucket to begin with."""

from collections.abc import Iterator

import pytest
from s3_server import BUCKET, Server, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("data")) as server:
        yield server


@pytest.fixture(scope="module")
def client(server: Server):
    client = server.client()
    client.create_bucket(Bucket=BUCKET)
    yield client
    client.close()
