"""`sagedock up` killed at any moment, its jobs' owners too: records that agree, nothing half,
nothing left behind, and jobs that go on to their end."""

import io
import json
import os
import random
import re
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from sagedock.local.client import data_id
from sagedock.local.process import Owner
from sagedock.local.records import Kind, Records, Status
from sagedock.server.http import free_port
from sagedock.server.running.state import running

SAGEDOCK = Path(sys.executable).with_name("sagedock")
BUCKET = "sagemaker-us-east-1-000000000000"
ROLE = "arn:aws:iam::000000000000:role/Any"
CLUSTER = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
PART = 5 << 20
HANDLER = b"""
def model_fn(model_dir):
    return None

def transform_fn(model, data, content_type, accept):
    return "[1]", "application/json"
"""


class House:
    """A data folder, the server on it that can be killed, and what is in the engine for it."""

    def __init__(self, data: Path, docker: Callable[..., "subprocess.CompletedProcess[str]"]):
        self.data, self.port, self._docker = data, free_port(), docker
        self._environment = {**os.environ, "SAGEDOCK_DATA": str(data), "AWS_REGION": "us-east-1"}

    def cli(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [SAGEDOCK, *arguments], env=self._environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip

    def up(self) -> None:
        done = self.cli("up", "--detach", f"--port={self.port}")
        assert done.returncode == 0, done.stderr

    def kill(self, *, owners: bool = False) -> None:
        """SIGKILL to the server and, with `owners`, to all that keep its jobs and endpoints."""
        state = running(self.data)
        assert state
        gone = [state.owner, *(self.owners() if owners else ())]
        for process in gone:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        until(lambda: not any(process.is_alive() for process in gone))

    def owners(self) -> list[Owner]:
        """Processes of jobs and endpoints: those that write below the data folder."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                command = (folder / "cmdline").read_bytes()
                target = str((folder / "fd" / "2").readlink())
                if b"sagedock.local" in command and target.startswith(f"{self.data}/"):
                    found.append(Owner.of(int(folder.name)))
        return found

    def client(self, service: str):
        return boto3.client(
            service, endpoint_url=f"http://127.0.0.1:{self.port}", region_name="us-east-1",
            aws_access_key_id="AKIAIOSFODNN7EXAMPLE", aws_secret_access_key="secret",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=30),
        )  # fmt: skip

    def containers(self) -> dict[str, dict[str, str]]:
        """Names and labels of all containers of this data folder."""
        label = f"label=sagedock={data_id(self.data)}"
        names = self._docker("ps", "-aq", "--filter", label).stdout.split()
        if not names:
            return {}
        done = self._docker("inspect", *names, check=False)  # some may be gone by now
        rows = json.loads(done.stdout or "[]")
        return {row["Name"].lstrip("/"): row["Config"]["Labels"] for row in rows}


def until(condition: Callable[[], bool], seconds: float = 90) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it took too long"
        time.sleep(0.05)


@pytest.fixture
def house(tmp_path: Path, docker_cli) -> Iterator[House]:
    house = House(tmp_path / "data", docker_cli)
    yield house
    if running(house.data):
        house.kill(owners=True)
    for owner in house.owners():
        os.kill(owner.pid, signal.SIGKILL)
    left = house.containers()
    if left:
        docker_cli("rm", "-f", "-v", *left)


@dataclass(kw_only=True)
class Client:
    """Somebody who makes things and remembers what was told to be there."""

    house: House
    images: dict[str, str]
    number: int
    stop: threading.Event
    told: dict[str, list[str]] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def run(self) -> None:
        turn = 0
        deeds = [self.train, self.upload, self.process, self.upload_parts, self.serve,
                 self.transform]  # fmt: skip
        while not self.stop.is_set():
            turn += 1
            deed = deeds[(self.number + turn) % len(deeds)]
            try:
                deed(f"k{self.number}-{turn}")
            except ClientError as error:
                self.errors.append(f"{deed.__name__}: {error}")
            except BotoCoreError:
                self.stop.wait(0.05)  # the server is down

    def tell(self, operation: str, name: str) -> None:
        self.told.setdefault(operation, []).append(name)

    def train(self, name: str) -> None:
        self.house.client("sagemaker").create_training_job(
            TrainingJobName=name, RoleArn=ROLE, ResourceConfig=CLUSTER,
            AlgorithmSpecification={"TrainingImage": self.images["training"],
                                    "TrainingInputMode": "File",
                                    "ContainerEntrypoint": ["sleep", "1.5"]},
            OutputDataConfig={"S3OutputPath": f"s3://{BUCKET}/out"},
            StoppingCondition={"MaxRuntimeInSeconds": 100},
            Tags=[{"Key": "made", "Value": "here"}],
        )  # fmt: skip
        self.tell("TrainingJob", name)

    def process(self, name: str) -> None:
        self.house.client("sagemaker").create_processing_job(
            ProcessingJobName=name, RoleArn=ROLE, ProcessingResources={"ClusterConfig": CLUSTER},
            AppSpecification={"ImageUri": self.images["processing"],
                              "ContainerEntrypoint": ["sleep", "1"]},
        )  # fmt: skip
        self.tell("ProcessingJob", name)

    def transform(self, name: str) -> None:
        client = self.house.client("sagemaker")
        client.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=self.model())
        self.tell("Model", name)
        client.create_transform_job(
            TransformJobName=name, ModelName=name,
            TransformInput={"DataSource": {"S3DataSource": {
                "S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/rows/"}}},
            TransformOutput={"S3OutputPath": f"s3://{BUCKET}/scores"},
            TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
        )  # fmt: skip
        self.tell("TransformJob", name)

    def model(self) -> dict[str, str]:
        return {"Image": self.images["serving"], "ModelDataUrl": f"s3://{BUCKET}/model.tar.gz"}

    def serve(self, name: str) -> None:
        """An endpoint that is made, asked, updated, asked and deleted."""
        client, runtime = self.house.client("sagemaker"), self.house.client("sagemaker-runtime")
        client.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=self.model())
        variant = {"VariantName": "v", "ModelName": name, "InstanceType": "ml.m5.large",
                   "InitialInstanceCount": 1}  # fmt: skip
        for config in (name, f"{name}-b"):
            client.create_endpoint_config(EndpointConfigName=config, ProductionVariants=[variant])
            self.tell("EndpointConfig", config)
        client.create_endpoint(EndpointName=name, EndpointConfigName=name)
        self.tell("Endpoint", name)
        waiter = client.get_waiter("endpoint_in_service")
        waiter.wait(EndpointName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        answer = runtime.invoke_endpoint(EndpointName=name, Body=b"1")
        assert answer["Body"].read() == b"[1]"
        client.update_endpoint(EndpointName=name, EndpointConfigName=f"{name}-b")
        self.told["Endpoint"].remove(name)  # a deletion that was not answered may have been done
        client.delete_endpoint(EndpointName=name)

    def upload(self, name: str) -> None:
        data = f"{name}/".encode() * 50_000
        self.house.client("s3").put_object(Bucket=BUCKET, Key=name, Body=data)
        self.objects[name] = data

    def upload_parts(self, name: str) -> None:
        client, key = self.house.client("s3"), {"Bucket": BUCKET, "Key": name}
        data = random.Random(name).randbytes(PART + 1000)
        key["UploadId"] = client.create_multipart_upload(**key)["UploadId"]
        parts = []
        for number, piece in enumerate((data[:PART], data[PART:]), 1):
            answer = client.upload_part(**key, PartNumber=number, Body=piece)
            parts.append({"PartNumber": number, "ETag": answer["ETag"]})
        client.complete_multipart_upload(**key, MultipartUpload={"Parts": parts})
        self.objects[name] = data


def prepare(house: House) -> None:
    s3, buffer = house.client("s3"), io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        info = tarfile.TarInfo("code/inference.py")
        info.size = len(HANDLER)
        archive.addfile(info, io.BytesIO(HANDLER))
    s3.put_object(Bucket=BUCKET, Key="model.tar.gz", Body=buffer.getvalue())
    s3.put_object(Bucket=BUCKET, Key="rows/rows.csv", Body=b"1,2\n3,4\n")


def check_told(house: House, clients: list[Client]) -> None:
    """Everything that was told to be there is there, and answers Describe."""
    sagemaker, s3 = house.client("sagemaker"), house.client("s3")
    for client in clients:
        for kind, names in client.told.items():
            method = "describe_" + re.sub("(?<!^)(?=[A-Z])", "_", kind).lower()
            for name in names:
                getattr(sagemaker, method)(**{f"{kind}Name": name})
        for name in client.told.get("TrainingJob", ()):
            arn = f"arn:aws:sagemaker:us-east-1:000000000000:training-job/{name}"
            assert sagemaker.list_tags(ResourceArn=arn)["Tags"], name
        for key, data in client.objects.items():
            assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == data


def check_objects_whole(house: House) -> None:
    """What nobody was told of may be there, then it is whole."""
    s3 = house.client("s3")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="k"):
        for item in page.get("Contents", ()):
            found = s3.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read()
            whole = random.Random(item["Key"]).randbytes(PART + 1000)
            assert found in (whole, f"{item['Key']}/".encode() * 50_000), item


def listed(house: House, operation: str, member: str) -> list[dict[str, object]]:
    pages = house.client("sagemaker").get_paginator(operation).paginate()
    return [item for page in pages for item in page[member]]


def check_jobs_end(house: House) -> None:
    """All jobs reach Completed, and nothing of them stays: no container, no staged input."""

    def statuses() -> dict[str, str]:
        return {
            str(item[f"{kind}Name"]): str(item[f"{kind}Status"])
            for kind, operation in (
                ("TrainingJob", "list_training_jobs"),
                ("ProcessingJob", "list_processing_jobs"),
                ("TransformJob", "list_transform_jobs"),
            )
            for item in listed(house, operation, f"{kind}Summaries")
        }

    until(lambda: "InProgress" not in statuses().values(), 300)
    assert set(statuses().values()) <= {"Completed"}, statuses()


def check_nothing_orphaned(house: House) -> None:
    """Every container belongs to an endpoint that is there, one to each."""

    def is_clean() -> bool:
        rows = listed(house, "list_endpoints", "Endpoints")
        live = sorted(str(row["EndpointName"]) for row in rows)
        if {row["EndpointStatus"] for row in rows} - {"InService"}:
            return False
        labels = house.containers().values()
        return sorted(label.get("sagedock.endpoint", "a job's") for label in labels) == live

    until(is_clean, 120)
    assert not list(house.data.glob("jobs/*/*/inputs"))


def test_killed_at_random_moments_while_everything_is_made(house: House, images):
    house.up()
    prepare(house)
    chance, stop = random.Random(1), threading.Event()
    clients = [Client(house=house, images=images, number=n, stop=stop) for n in range(3)]
    threads = [threading.Thread(target=client.run) for client in clients]
    for thread in threads:
        thread.start()
    try:
        for turn in range(4):
            time.sleep(chance.uniform(0.3, 2.5))
            house.kill(owners=bool(turn % 2))
            assert json.loads(house.cli("status", "--json").stdout)["Status"] == "Down"
            house.up()
            assert json.loads(house.cli("status", "--json").stdout)["Status"] == "Up"
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert [error for client in clients for error in client.errors] == []
    assert sum(len(names) for client in clients for names in client.told.values()) > 3
    check_told(house, clients)
    check_objects_whole(house)
    check_jobs_end(house)
    check_nothing_orphaned(house)
    sagemaker = house.client("sagemaker")
    for row in listed(house, "list_endpoints", "Endpoints"):
        sagemaker.delete_endpoint(EndpointName=row["EndpointName"])
    until(lambda: not house.containers())


def test_what_is_left_is_removed_and_what_is_kept_stays(house: House, images, docker_cli):
    """Containers as owners leave them that are killed between two steps."""
    house.up()
    client = Client(house=house, images=images, number=0, stop=threading.Event())
    client.train("over")
    sagemaker = house.client("sagemaker")
    until(lambda: sagemaker.describe_training_job(TrainingJobName="over")
          ["TrainingJobStatus"] == "Completed")  # fmt: skip
    until(lambda: not house.owners() and not house.containers())
    house.kill()
    label = f"sagedock={data_id(house.data)}"
    names = {"ended": ("sagedock.job=over", "sagedock.kind=training"),
             "unknown": ("sagedock.job=never", "sagedock.kind=training"),
             "other-kind": ("sagedock.job=over", "sagedock.kind=processing"),
             "endpoint": ("sagedock.endpoint=gone",)}  # fmt: skip
    for name, labels in names.items():
        given = [f"--label={one}" for one in (label, *labels)]
        docker_cli("run", "-d", f"--name={data_id(house.data)}-{name}", *given,
                   "--entrypoint=sleep", images["base"], "600")  # fmt: skip
    foreign = f"{data_id(house.data)}-foreign"
    docker_cli("create", f"--name={foreign}", "--label=sagedock=00000000", images["base"])
    inputs = house.data / "jobs" / "training" / "over" / "inputs"
    fleets = house.data / "endpoints" / "gone" / "fleets"
    for folder in (inputs, fleets):
        folder.mkdir(parents=True)
    try:
        house.up()
        until(lambda: not house.containers() and not inputs.exists() and not fleets.exists())
        assert docker_cli("inspect", foreign, check=False).returncode == 0
    finally:
        docker_cli("rm", foreign)


def test_a_job_goes_on_though_nobody_asks(house: House, images):
    """Its owner alone is killed; the server sees to it."""
    house.up()
    client = Client(house=house, images=images, number=0, stop=threading.Event())
    client.train("alone")
    until(lambda: bool(house.owners()))
    for owner in house.owners():
        os.kill(owner.pid, signal.SIGKILL)
    records = Records(house.data)
    until(lambda: not records.get(Kind.TRAINING, "alone").is_running)
    assert records.get(Kind.TRAINING, "alone").state.status is Status.COMPLETED
    records.close()
    until(lambda: not house.containers())
