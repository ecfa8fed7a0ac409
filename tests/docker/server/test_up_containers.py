"""`sagedock up` as containers see it: at the bridge, by its name, and nowhere else."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sagedock.engine.docker import Engine
from sagedock.server.running.state import State, running

SAGEDOCK = Path(sys.executable).with_name("sagedock")
ASK = """
import json, os, sys, urllib.request
url = os.environ.get("AWS_ENDPOINT_URL") or sys.argv[1]
with urllib.request.urlopen(url + "/_sagedock/health", timeout=10) as answer:
    print("health", json.load(answer)["status"], "key", os.environ.get("AWS_ACCESS_KEY_ID"))
"""


@pytest.fixture
def state(tmp_path: Path):
    environment = {**os.environ, "SAGEDOCK_DATA": str(tmp_path / "data")}
    command = [SAGEDOCK, "up", "--detach", "--port=0"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    yield running(tmp_path / "data")
    subprocess.run([SAGEDOCK, "down"], env=environment, check=True, stdout=subprocess.DEVNULL)


def test_the_bridge_is_found(docker_cli):
    with contextlib.closing(Engine.connect()) as engine:
        address = engine.bridge_address()
    found = json.loads(docker_cli("network", "inspect", "bridge").stdout)
    assert address == found[0]["IPAM"]["Config"][0]["Gateway"]


def test_containers_reach_it_by_name(state: State, docker_cli, images):
    done = docker_cli(
        "run", "--rm", "--add-host=host.docker.internal:host-gateway", "--entrypoint=python3",
        images["base"], "-c", ASK, f"http://host.docker.internal:{state.port}",
    )  # fmt: skip
    assert done.stdout == "health up key None\n"


def test_other_machines_do_not(state: State):
    """At the addresses that this machine has towards the outside nobody listens."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing
        outside = probe.getsockname()[0]
    assert outside not in {"127.0.0.1", *state.addresses}
    for port in (state.port, state.proxy_port):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((outside, port), 5)


def test_code_in_a_job_finds_endpoint_and_key(state: State, tmp_path: Path, images):
    """A processing job that a program has started: its container asks the same server."""
    (tmp_path / "ask.py").write_text(ASK)
    program = f"""
import boto3, pathlib, time
s3, sm = boto3.client("s3"), boto3.client("sagemaker")
bucket = "sagemaker-" + s3.meta.region_name + "-000000000000"
s3.put_object(Bucket=bucket, Key="code/ask.py", Body=pathlib.Path("ask.py").read_bytes())
sm.create_processing_job(
    ProcessingJobName="asking", RoleArn="arn:aws:iam::000000000000:role/SageMakerRole",
    AppSpecification={{"ImageUri": {images["processing"]!r},
        "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/code/ask.py"]}},
    ProcessingInputs=[{{"InputName": "code", "S3Input": {{
        "S3Uri": f"s3://{{bucket}}/code", "LocalPath": "/opt/ml/processing/input/code",
        "S3DataType": "S3Prefix", "S3InputMode": "File"}}}}],
    ProcessingResources={{"ClusterConfig": {{
        "InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}}}},
)
sm.get_waiter("processing_job_completed_or_stopped").wait(
    ProcessingJobName="asking", WaiterConfig={{"Delay": 1, "MaxAttempts": 60}})
"""
    environment = {**os.environ, "SAGEDOCK_DATA": str(tmp_path / "data")}
    options = {"env": environment, "cwd": tmp_path, "capture_output": True, "text": True}
    done = subprocess.run(
        [SAGEDOCK, "run", "--", sys.executable, "-c", program], check=False, **options
    )
    assert done.returncode == 0, done.stderr
    log = subprocess.run([SAGEDOCK, "logs", "asking"], check=True, **options).stdout
    assert f"health up key {state.access_key}" in log


def test_jobs_go_on_when_the_server_of_a_run_has_ended(tmp_path: Path, images):
    """The program returns at once, and with it its server; the job runs to its end."""
    program = f"""
import boto3
boto3.client("sagemaker").create_processing_job(
    ProcessingJobName="going-on", RoleArn="arn:aws:iam::000000000000:role/SageMakerRole",
    AppSpecification={{"ImageUri": {images["processing"]!r},
        "ContainerEntrypoint": ["sh", "-c", "sleep 2; echo went on"]}},
    ProcessingResources={{"ClusterConfig": {{
        "InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}}}},
)
"""
    environment = {**os.environ, "SAGEDOCK_DATA": str(tmp_path / "data")}
    options = {"env": environment, "capture_output": True, "text": True}
    subprocess.run([SAGEDOCK, "run", "--", sys.executable, "-c", program], check=True, **options)
    assert running(tmp_path / "data") is None
    followed = subprocess.run([SAGEDOCK, "logs", "going-on", "--follow"], check=True, **options)
    assert "went on" in followed.stdout
    told = subprocess.run([SAGEDOCK, "describe", "going-on", "--json"], check=True, **options)
    assert json.loads(told.stdout)["ProcessingJobStatus"] == "Completed"
