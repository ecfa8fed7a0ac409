"""Endpoints in real containers, each test with a data folder and models of its own."""

import io
import tarfile
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from sagedock.errors import ResourceNotFoundError
from sagedock.local.client import LocalSageMaker, data_id
from sagedock.local.hosting.runtime import LocalRuntime
from sagedock.local.settings import LocalSettings
from sagedock.store.uri import S3Uri

ROLE = "arn:aws:iam::000000000000:role/Any"


class Hosting:
    """A local SageMaker and its runtime; `close` deletes the endpoints made here."""

    def __init__(self, settings: LocalSettings, image: str) -> None:
        self.settings, self.image = settings, image
        self.client, self.runtime = LocalSageMaker(settings), LocalRuntime(settings)
        self.client.store.create_bucket("models")

    def model(self, name: str, handler: str) -> None:
        """A model whose inference.py is `handler`."""
        buffer, code = io.BytesIO(), textwrap.dedent(handler).encode()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            entry = tarfile.TarInfo("code/inference.py")
            entry.size = len(code)
            archive.addfile(entry, io.BytesIO(code))
        uri = S3Uri("models", f"{name}/model.tar.gz")
        self.client.store.put(uri, buffer.getvalue())
        container = {"Image": self.image, "ModelDataUrl": str(uri)}
        self.client.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE)

    def endpoint(self, name: str, models: Mapping[str, float], **settings: object) -> str:
        """An endpoint of a variant for each model, by weight; its status when it has settled."""
        variants = [
            {"VariantName": model, "ModelName": model, "InitialInstanceCount": 1,
             "InstanceType": "ml.m5.large", "InitialVariantWeight": weight, **settings}
            for model, weight in models.items()
        ]  # fmt: skip
        self.client.create_endpoint_config(EndpointConfigName=name, ProductionVariants=variants)
        self.client.create_endpoint(EndpointName=name, EndpointConfigName=name)
        return self.settled(name)

    def settled(self, name: str, status: str = "Creating") -> str:
        """The status that follows `status`; "gone" for a deleted endpoint."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                now = self.client.describe_endpoint(EndpointName=name)["EndpointStatus"]
            except ResourceNotFoundError:
                return "gone"
            if now != status:
                return str(now)
            time.sleep(0.02)
        pytest.fail(f"endpoint {name} is {status} still")

    def delete(self, name: str) -> None:
        """Delete an endpoint and wait until it is gone."""
        self.client.delete_endpoint(EndpointName=name)
        assert self.settled(name, "Deleting") == "gone"

    def close(self) -> None:
        for endpoint in self.client.endpoints():
            self.delete(endpoint.name)
        self.runtime.close()
        self.client.close()


@pytest.fixture
def hosting(
    tmp_path: Path, images: Mapping[str, str], docker_cli: Callable[..., object]
) -> Iterator[Hosting]:
    """After the test no container is left."""
    settings = LocalSettings.from_environment(data=tmp_path / "data")
    hosting = Hosting(settings, images["serving"])
    yield hosting
    hosting.close()
    left = docker_cli("ps", "-aq", "--filter", f"label=sagedock={data_id(settings.data)}")
    assert left.stdout == ""
