"""A `sagedock up` of its own for the benchmarks here, and what is asked of it."""

from __future__ import annotations

import http.client
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from sagedock.server.http import free_port

SAGEDOCK = Path(sys.executable).with_name("sagedock")
ROLE = "arn:aws:iam::000000000000:role/SageMakerRole"
BUCKET = "sagemaker-us-east-1-000000000000"
_TICKS = os.sysconf("SC_CLK_TCK")
_LIMIT = 30.0


@dataclass(frozen=True, kw_only=True)
class Up:
    """A server that answers; `seconds` from its process' start to its first answer."""

    port: int
    pid: int
    seconds: float

    def client(self, service: str) -> Any:
        """boto3's client, as `sagedock env` would have it."""
        return boto3.client(
            service,
            endpoint_url=f"http://127.0.0.1:{self.port}",
            region_name="us-east-1",
            aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
            aws_secret_access_key="secret",
            config=Config(max_pool_connections=32),
        )

    def memory(self) -> dict[str, float]:
        """MB (10^6 bytes) of the server's process: Rss and Pss."""
        text = Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        found = dict(re.findall(r"^(Rss|Pss): +(\d+) kB", text, re.MULTILINE))
        return {name: int(size) * 1024 / 1e6 for name, size in found.items()}

    def cpu(self) -> float:
        """Seconds of CPU that the server has used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS


@contextmanager
def up(data: Path) -> Iterator[Up]:
    """A server on the folder `data`, until the end of the block."""
    port = free_port()
    environment = {**os.environ, "AWS_REGION": "us-east-1"}
    begun = time.perf_counter()
    with subprocess.Popen(
        [SAGEDOCK, "--data", data, "up", f"--port={port}"],
        env=environment, stdout=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        try:
            while not _answers(port):
                if process.poll() is not None or time.perf_counter() - begun > _LIMIT:
                    sys.exit("sagedock up does not answer")
                time.sleep(0.002)
            yield Up(port=port, pid=process.pid, seconds=time.perf_counter() - begun)
        finally:
            process.terminate()


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/_sagedock/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def training(
    name: str, image: str, *, channel: str, command: tuple[str, ...] = (), **more: Any
) -> Any:
    """A CreateTrainingJob request: CSV at s3://BUCKET/channel/ as the channel `train`; `command` in
    place of the image's own where it is given."""
    algorithm: dict[str, Any] = {"TrainingImage": image, "TrainingInputMode": "File"}
    if command:
        algorithm["ContainerEntrypoint"] = list(command)
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/{channel}/"}
    inputs = [{"ChannelName": "train", "ContentType": "text/csv",
               "DataSource": {"S3DataSource": source}}]  # fmt: skip
    return {
        "TrainingJobName": name,
        "AlgorithmSpecification": algorithm,
        "RoleArn": ROLE,
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/models"},
        "ResourceConfig": {
            "InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        "InputDataConfig": inputs,
        **more,
    }  # fmt: skip


def ended(client: Any, name: str, expected: str = "Completed") -> Any:
    """The description of a training job at its end, which has to be `expected`."""
    while True:
        found = client.describe_training_job(TrainingJobName=name)
        if found["TrainingJobStatus"] not in {"InProgress", "Stopping"}:
            break
        time.sleep(0.1)
    if found["TrainingJobStatus"] != expected:
        sys.exit(f"{name} is {found['TrainingJobStatus']}: {found.get('FailureReason')}")
    return found
