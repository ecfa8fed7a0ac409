"""What an endpoint's containers are given: ports, models, users, networks."""

import io
import json
import tarfile
import time

import pytest

from sagedock.errors import ValidationError

APPEND = """
    import os

    def model_fn(folder):
        return os.environ["WORD"]

    def transform_fn(model, body, content_type, accept):
        return f"{body.decode() if isinstance(body, bytes) else body}>{model}", "text/" + model
"""
LOOK = """
    import json, os, socket, tempfile

    def model_fn(folder):
        return folder

    def transform_fn(folder, body, content_type, accept):
        def writable(path):
            try:
                with tempfile.TemporaryFile(dir=path):
                    return True
            except OSError:
                return False

        return json.dumps({
            "files": sorted(
                os.path.relpath(os.path.join(where, name), folder)
                for where, _, names in os.walk(folder) for name in names
            ),
            "user": os.getuid(),
            "writable": [path for path in ("/", "/opt/ml/model", "/tmp", "/etc") if writable(path)],
            "variables": sorted(name for name in os.environ if name.startswith("SAGEMAKER_")),
            "hostname": socket.gethostname(),
            "memory": next(
                open(path).read().strip()
                for path in ("/sys/fs/cgroup/memory.max",
                             "/sys/fs/cgroup/memory/memory.limit_in_bytes")
                if os.path.exists(path)
            ),
        })
"""
REACH = """
    import json, socket

    def model_fn(folder):
        return None

    def transform_fn(model, body, content_type, accept):
        host, port = json.loads(body)
        try:
            socket.create_connection((host, port), timeout=2).close()
        except OSError as error:
            return "no"
        return "yes"
"""


def ask(hosting, name, body=b"0", **more):
    answer = hosting.runtime.invoke_endpoint(
        EndpointName=name, Body=body, ContentType="text/plain", **more
    )
    return answer["Body"].read().decode()


def look(hosting, name):
    return json.loads(ask(hosting, name))


def pipeline(hosting, name, mode):
    containers = [
        hosting.container(
            f"{name}-{word}",
            {"code/inference.py": hosting.code(APPEND)},
            Environment={"WORD": word},
            ContainerHostname=word,
        )
        for word in ("one", "two", "three")
    ]
    hosting.client.create_model(
        ModelName=name,
        Containers=containers,
        InferenceExecutionConfig={"Mode": mode},
        ExecutionRoleArn=hosting.role,
    )


def test_containers_of_a_pipeline_are_asked_in_turn(hosting):
    """D5.11, D5.13: each on a port of its own, an answer is the next one's request."""
    pipeline(hosting, "chain", "Serial")
    assert hosting.endpoint("live", {"chain": 1}) == "InService"
    assert ask(hosting, "live") == "0>one>two>three"
    assert len(hosting.containers("live")) == 3
    (instance,) = hosting.instances("live")
    place = hosting.settings.data / "endpoints" / "live" / "logs" / "chain" / instance
    assert sorted(path.name for path in place.iterdir()) == ["one.log", "three.log", "two.log"]


def test_containers_are_asked_one_by_one_in_direct_mode(hosting):
    pipeline(hosting, "several", "Direct")
    assert hosting.endpoint("live", {"several": 1}) == "InService"
    assert ask(hosting, "live", TargetContainerHostname="two") == "0>two"
    with pytest.raises(ValidationError, match="TargetContainerHostname"):
        ask(hosting, "live")


def test_a_pipeline_of_an_image_without_the_label_is_refused(hosting, images):
    """D5.11."""
    hosting.client.create_model(
        ModelName="chain",
        Containers=[{"Image": images["processing"]}, {"Image": images["processing"]}],
        ExecutionRoleArn=hosting.role,
    )
    assert hosting.endpoint("live", {"chain": 1}) == "Failed"
    reason = hosting.client.describe_endpoint(EndpointName="live")["FailureReason"]
    assert "accept-bind-to-port=true" in reason


def test_uncompressed_model_data_is_laid_down(hosting):
    """D2.5."""
    uri = "s3://models/plain/"
    for name, content in {"code/inference.py": hosting.code(LOOK), "a/b.bin": b"1"}.items():
        hosting.put(f"{uri}{name}", content)
    source = {"S3Uri": uri, "S3DataType": "S3Prefix", "CompressionType": "None"}
    container = {"Image": hosting.image, "ModelDataSource": {"S3DataSource": source}}
    hosting.client.create_model(
        ModelName="plain", PrimaryContainer=container, ExecutionRoleArn=hosting.role
    )
    assert hosting.endpoint("live", {"plain": 1}) == "InService"
    seen = look(hosting, "live")
    assert seen["files"] == ["a/b.bin", "code/inference.py"]
    assert seen["user"] == 0  # D1.3
    assert seen["writable"] == ["/", "/tmp", "/etc"]  # D2.3


def test_a_serverless_variant_runs_as_nobody_with_its_memory_only(hosting):
    """D6.2, D6.4."""
    hosting.model("look", LOOK)
    hosting.client.create_endpoint_config(
        EndpointConfigName="live",
        ProductionVariants=[
            {"VariantName": "v", "ModelName": "look",
             "ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 5}}
        ],
    )  # fmt: skip
    hosting.client.create_endpoint(EndpointName="live", EndpointConfigName="live")
    assert hosting.settled("live") == "InService"
    seen = look(hosting, "live")
    assert seen["user"] == 1234
    assert seen["writable"] == ["/tmp"]
    assert int(seen["memory"]) == 2048 << 20
    (instance,) = hosting.instances("live")
    assert "MaxConcurrency of variant v has no effect" in hosting.log("live", "v", instance)


def test_network_isolation_lets_requests_in_and_nothing_out(hosting, docker_cli):
    """D1.9: seen from another container, which is in the network that others have."""
    hosting.model("open", REACH)
    hosting.model("closed", REACH, EnableNetworkIsolation=True)
    assert hosting.endpoint("open", {"open": 1}) == "InService"
    assert hosting.endpoint("closed", {"closed": 1}) == "InService"
    form = "{{.NetworkSettings.Networks.bridge.IPAddress}}"
    found = docker_cli("inspect", "--format", form, *hosting.containers("open"))
    target = json.dumps([found.stdout.strip(), 8080]).encode()
    assert ask(hosting, "open", target) == "yes"
    assert ask(hosting, "closed", target) == "no"


def test_several_endpoints_live_beside_each_other(hosting):
    """And one whose server never answers a ping fails when its time is over (D3.3)."""
    silent = hosting.container("silent", {"code/inference.py": hosting.code(
        "import time\ndef model_fn(folder):\n    time.sleep(600)\n"
    )})  # fmt: skip
    hosting.client.create_model(
        ModelName="silent", PrimaryContainer=silent, ExecutionRoleArn=hosting.role
    )
    hosting.config("silent", {"silent": 1}, ContainerStartupHealthCheckTimeoutInSeconds=60)
    begun = time.monotonic()
    hosting.client.create_endpoint(EndpointName="silent", EndpointConfigName="silent")
    hosting.model("look", LOOK)
    names = ["first", "second", "third"]
    for name in names:
        hosting.config(name, {"look": 1}, InitialInstanceCount=1)
        hosting.client.create_endpoint(EndpointName=name, EndpointConfigName=name)
    for name in names:
        assert hosting.settled(name) == "InService"
    assert len({look(hosting, name)["hostname"] for name in names}) == 3
    hosting.delete("second")
    assert look(hosting, "third")["files"] == ["code/inference.py"]
    hosting.until(
        lambda: hosting.client.endpoint("silent").status == "Failed",
        seconds=90,
    )
    assert time.monotonic() - begun > 60
    reason = hosting.client.describe_endpoint(EndpointName="silent")["FailureReason"]
    assert "within 60 s" in reason


def test_instances_of_a_variant_share_its_requests(hosting):
    hosting.model("look", LOOK)
    assert hosting.endpoint("live", {"look": 1}, InitialInstanceCount=2) == "InService"
    assert len({look(hosting, "live")["hostname"] for _ in range(40)}) == 2


def test_an_image_that_cannot_serve_is_told(hosting, images):
    """D1.1: no entry point, and no executable `serve`."""
    hosting.client.create_model(
        ModelName="none",
        PrimaryContainer={"Image": images["processing"]},
        ExecutionRoleArn=hosting.role,
    )
    assert hosting.endpoint("live", {"none": 1}) == "Failed"
    reason = hosting.client.describe_endpoint(EndpointName="live")["FailureReason"]
    assert "serve" in reason


def test_model_data_that_hosting_does_not_take_fails_the_endpoint(hosting):
    """D2.1, D2.2: nothing is served, and the reason says what is wrong with which file."""
    link = io.BytesIO()
    with tarfile.open(fileobj=link, mode="w:gz") as archive:
        entry = tarfile.TarInfo("model.bin")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(entry)
    for name, content, words in (
        ("text", b"no archive", "can't be unpacked as a model"),
        ("link", link.getvalue(), "model.bin is a link"),
    ):
        hosting.put(f"s3://models/{name}/model.tar.gz", content)
        container = {"Image": hosting.image, "ModelDataUrl": f"s3://models/{name}/model.tar.gz"}
        hosting.client.create_model(
            ModelName=name, PrimaryContainer=container, ExecutionRoleArn=hosting.role
        )
        assert hosting.endpoint(name, {name: 1}) == "Failed"
        reason = hosting.client.describe_endpoint(EndpointName=name)["FailureReason"]
        assert words in reason
        assert name in reason


def test_a_container_has_its_environment_and_its_name(hosting):
    """D1.6."""
    handler = hosting.code(APPEND.replace('os.environ["WORD"]', "os.uname().nodename"))
    container = hosting.container(
        "named",
        {"code/inference.py": handler},
        Environment={"WORD": "given"},
        ContainerHostname="my-own-name",
    )
    hosting.client.create_model(
        ModelName="named", PrimaryContainer=container, ExecutionRoleArn=hosting.role
    )
    assert hosting.endpoint("live", {"named": 1}) == "InService"
    assert ask(hosting, "live") == "0>my-own-name"
