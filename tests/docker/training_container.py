"""One training container with the platform's files in it, for the tests of the training image.

The fixture is that of the contract's section L: config files with the service's keys, channels
read-only, no network, tty, stdin or privileges.
"""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.models.containers import Container

from sagedock.contract.paths import ML
from sagedock.contract.training import ChannelConfig, InputDataConfig, ResourceConfig

DUMP = """
import json, os, sys
json.dump({"argv": sys.argv, "env": dict(os.environ), "cwd": os.getcwd()},
          open(os.environ["SM_OUTPUT_DATA_DIR"] + "/dump.json", "w"))
print("first line of the script")
"""


class Job:
    """One container with the platform's files in it."""

    def __init__(self, container: Container) -> None:
        self.container = container

    def start(self) -> Job:
        self.container.start()
        return self

    def wait(self, seconds: int = 120) -> int:
        return int(self.container.wait(timeout=seconds)["StatusCode"])

    def run(self) -> int:
        return self.start().wait()

    @property
    def log(self) -> str:
        return self.container.logs().decode("utf-8", "replace")

    def wait_for(self, words: str, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while words not in self.log:
            assert time.monotonic() < end, f"{words!r} did not appear in:\n{self.log}"
            time.sleep(0.05)

    def read(self, path: str) -> str | None:
        """A file of the container, also after its end."""
        try:
            chunks, _ = self.container.get_archive(path)
        except docker.errors.NotFound:
            return None
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
            member = archive.extractfile(archive.getmembers()[0])
            assert member is not None
            return member.read().decode("utf-8")

    @property
    def failure(self) -> str | None:
        return self.read(ML.failure)

    @property
    def succeeded(self) -> bool:
        return self.read(ML.success) is not None

    @property
    def dump(self) -> dict[str, Any]:
        text = self.read(f"{ML.output_data}/dump.json")
        assert text is not None, self.log
        return json.loads(text)


Make = Callable[..., Job]


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture
def job(engine: docker.DockerClient, images: Mapping[str, str], tmp_path: Path) -> Iterator[Make]:
    made: list[Container] = []
    yield partial(_make, engine, images["training"], tmp_path, made)
    for container in made:
        container.remove(force=True, v=True)


def _make(
    engine: docker.DockerClient,
    image: str,
    tmp_path: Path,
    made: list[Container],
    *,
    hyperparameters: Mapping[str, str] | None = None,
    code: Mapping[str, str | bytes] | None = None,
    channels: Mapping[str, Mapping[str, str]] | None = None,
    files: Mapping[str, str | bytes | None] | None = None,
    environment: Mapping[str, str] | None = None,
    resources: Mapping[str, Any] | None = None,
    network: str = "none",
    **more: Any,
) -> Job:
    """`code` goes to /opt/ml/code; `files` are further absolute paths, None takes one away."""
    channels = channels or {}
    tree: dict[str, str | bytes | None] = {
        **_config(hyperparameters or {}, channels, resources),
        **{f"{ML.code}/{name}": content for name, content in (code or {}).items()},
        **(files or {}),
    }
    container = engine.containers.create(
        image,
        **{
            "command": ["train"],
            "hostname": "algo-1",
            "network_mode": network,
            "labels": {"sagedock": "test", "sagedock.kind": "training"},
            "environment": {
                "TRAINING_JOB_NAME": "churn-1",
                "TRAINING_JOB_ARN": "arn:aws:sagemaker:us-west-2:123456789012:training-job/churn-1",
                "AWS_REGION": "us-west-2",
                **(environment or {}),
            },
            "volumes": _channel_mounts(tmp_path, channels),
            **more,
        },
    )
    made.append(container)
    container.put_archive("/", _archive(tree))
    return Job(container)


def _config(
    hyperparameters: Mapping[str, str],
    channels: Mapping[str, Any],
    resources: Mapping[str, Any] | None,
) -> dict[str, str]:
    data = InputDataConfig(channels={name: ChannelConfig() for name in channels})
    host = ResourceConfig(current_host="algo-1", hosts=["algo-1"], instance_type="ml.m5.large")
    return {
        ML.hyperparameters: json.dumps(hyperparameters),
        ML.input_data_config: json.dumps(data.to_dict()),
        ML.resource_config: json.dumps(host.to_dict() if resources is None else resources),
    }


def _channel_mounts(tmp_path: Path, channels: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    mounts: dict[str, Any] = {}
    for name, content in channels.items():
        folder = tmp_path / "channels" / name
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in content.items():
            (folder / file).write_text(text, encoding="utf-8")
        mounts[str(folder)] = {"bind": ML.channel(name), "mode": "ro"}
    return mounts


def _archive(tree: Mapping[str, str | bytes | None]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for folder in (ML.model, ML.output_data, ML.checkpoints):
            entry = tarfile.TarInfo(folder.lstrip("/"))
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        for path, content in tree.items():
            if content is not None:
                data = content.encode() if isinstance(content, str) else content
                entry = tarfile.TarInfo(path.lstrip("/"))
                entry.size, entry.mode = len(data), 0o755
                archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def script(text: str, **more: Any) -> dict[str, Any]:
    """Arguments of a job whose program is `train.py` with this text."""
    hyperparameters = {"sagemaker_program": "train.py", **more.pop("hyperparameters", {})}
    code = {"train.py": text, **more.pop("code", {})}
    return {"hyperparameters": hyperparameters, "code": code, **more}
