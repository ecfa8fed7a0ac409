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
from sagedock.local.hosting.calls.runtime import LocalRuntime
from sagedock.local.settings import LocalSettings
from sagedock.store.uri import S3Uri

ROLE = "arn:aws:iam::000000000000:role/Any"


class Hosting:
    """A local SageMaker and its runtime; `close` deletes the endpoints made here."""

    role = ROLE

    def __init__(
        self, settings: LocalSettings, image: str, docker_cli: Callable[..., object]
    ) -> None:
        self.settings, self.image, self._docker = settings, image, docker_cli
        self.handlers: dict[str, bytes] = {}
        self.client, self.runtime = LocalSageMaker(settings), LocalRuntime(settings)
        self.client.store.create_bucket("models")

    def model(self, name: str, handler: str, **request: object) -> None:
        """A model whose inference.py is `handler`."""
        self.handlers[name] = self.code(handler)
        container = self.container(name, {"code/inference.py": self.handlers[name]})
        self.client.create_model(
            ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE, **request
        )

    @staticmethod
    def code(handler: str) -> bytes:
        """A handler written in a test, as a file."""
        return textwrap.dedent(handler).encode()

    def put(self, uri: str, content: bytes) -> None:
        """An object."""
        self.client.store.put(S3Uri.parse(uri), content)

    def container(self, name: str, files: Mapping[str, bytes], **more: object) -> dict[str, object]:
        """The container of a model that holds `files`, put into the store."""
        self.model_data(name, files)
        return {"Image": self.image, "ModelDataUrl": f"s3://models/{name}/model.tar.gz", **more}

    def model_data(self, name: str, files: Mapping[str, bytes]) -> None:
        """models/NAME/model.tar.gz of `files`."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            for path, content in files.items():
                entry = tarfile.TarInfo(path)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
        self.put(f"s3://models/{name}/model.tar.gz", buffer.getvalue())

    def config(self, name: str, models: Mapping[str, float], **settings: object) -> None:
        """An endpoint configuration of a variant for each model, by weight; `settings` are the
        variants' own."""
        variants = [
            {"VariantName": model, "ModelName": model, "InitialInstanceCount": 1,
             "InstanceType": "ml.m5.large", "InitialVariantWeight": weight, **settings}
            for model, weight in models.items()
        ]  # fmt: skip
        self.client.create_endpoint_config(EndpointConfigName=name, ProductionVariants=variants)

    def endpoint(self, name: str, models: Mapping[str, float], **settings: object) -> str:
        """An endpoint of a variant for each model, by weight; its status when it has settled."""
        self.config(name, models, **settings)
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

    def until(self, condition: Callable[[], object], seconds: float = 60) -> None:
        """Wait until `condition()`."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                pytest.fail(f"not within {seconds} s")
            time.sleep(0.05)

    def instances(self, name: str) -> list[str]:
        """Instances that requests go to."""
        return [route.instance for route in self.client.endpoint(name).routes]

    def containers(self, name: str) -> list[str]:
        """Ids of the endpoint's containers, running or not."""
        ours = f"label=sagedock={data_id(self.settings.data)}"  # others may have that name, too
        label = f"label=sagedock.endpoint={name}"
        found = self._docker("ps", "-aq", "--filter", ours, "--filter", label)
        return found.stdout.split()  # type: ignore[attr-defined,no-any-return]

    def log(self, name: str, variant: str, instance: str) -> str:
        """The log of an instance, or of all containers of one."""
        place = self.settings.data / "endpoints" / name / "logs" / variant
        return "".join(path.read_text() for path in sorted(place.glob(f"{instance}*")))

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
    hosting = Hosting(settings, images["serving"], docker_cli)
    yield hosting
    hosting.close()
    left = docker_cli("ps", "-aq", "--filter", f"label=sagedock={data_id(settings.data)}")
    assert left.stdout == ""
