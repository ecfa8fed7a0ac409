"""The runtime against the real serving image: streams, many models, asynchronous requests, data
capture, the terminal."""

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path

import pytest

from sagedock.errors import (
    ModelError,
    ModelStreamError,
    ResourceNotFoundError,
    StoreError,
    ValidationError,
)
from sagedock.launch.iterators import LineIterator
from sagedock.launch.predictor import AsyncPredictor, Predictor, WaiterConfig
from sagedock.launch.serializers import CSVSerializer
from sagedock.launch.session import Session
from sagedock.local.hosting.calls.runtime import LocalRuntime
from sagedock.store.uri import S3Uri

WORDS = """
    def model_fn(folder):
        return folder

    async def transform_fn(model, body, content_type, accept):
        import asyncio

        async def words():
            for number in range(4):
                yield f"{number}\\n".encode()
                await asyncio.sleep(0.5)
                if body == b"break" and number == 1:
                    import os
                    os.abort()

        return words(), "text/plain"
"""
ECHO = """
    import time

    def model_fn(folder):
        return folder

    def transform_fn(model, body, content_type, accept):
        text = body.decode() if isinstance(body, bytes) else body
        if text == "raise":
            raise RuntimeError("as told")
        if text.startswith("sleep"):
            time.sleep(float(text.split()[1]))
        return text.upper(), "text/csv"
"""
NAMED = """
    import os

    def model_fn(folder):
        weights = folder + "/weights"
        held = open(weights, "rb").read() if os.path.exists(weights) else b""
        return open(folder + "/name").read(), held

    def transform_fn(model, body, content_type, accept):
        return f"{model[0]}:{body}"
"""
INSTANCE = {"InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}


def endpoint(hosting, model, **request):
    """An endpoint `live` of one variant, whose configuration has more to say."""
    variant = {"VariantName": "v", "ModelName": model, **INSTANCE}
    hosting.client.create_endpoint_config(
        EndpointConfigName="live", ProductionVariants=[variant], **request
    )
    hosting.client.create_endpoint(EndpointName="live", EndpointConfigName="live")
    assert hosting.settled("live") == "InService"


def read(hosting, uri, seconds=30):
    """An object's bytes when it is there."""
    found = []

    def there():
        found.extend(hosting.client.store.list(S3Uri.parse(uri)))
        return found

    hosting.until(there, seconds)
    with hosting.client.store.open(S3Uri.parse(uri)) as stream:
        return stream.read()


# streams


def test_a_model_that_streams_is_heard_while_it_works(hosting):
    hosting.model("words", WORDS)
    endpoint(hosting, "words")
    session = Session(settings=hosting.settings)
    predictor = Predictor("live", session, CSVSerializer())
    started = time.monotonic()
    times = []
    for line in predictor.predict_stream("1", iterator=LineIterator):
        times.append((line, time.monotonic() - started))
    assert [line for line, _ in times] == [b"0", b"1", b"2", b"3"]
    assert times[0][1] < 1.0  # the whole takes 2 s
    assert times[-1][1] - times[0][1] > 1.0

    answer = hosting.runtime.invoke_endpoint(EndpointName="live", Body=b"1")
    assert answer["Body"].read() == b"0\n1\n2\n3\n"

    hasty = LocalRuntime(hosting.settings, stream_seconds=1.2)
    with pytest.raises(ModelStreamError) as told:
        list(hasty.invoke_endpoint_with_response_stream(EndpointName="live", Body=b"1")["Body"])
    assert told.value.error_code == "ModelInvocationTimeExceeded"
    hasty.close()

    answer = hosting.runtime.invoke_endpoint_with_response_stream(
        EndpointName="live", Body=b"break"
    )
    with pytest.raises(ModelStreamError) as told:
        list(answer["Body"])
    assert told.value.error_code == "StreamBroken"
    predictor.close()
    session.close()


# many models


def put_model(hosting, name, size=0):
    """models/many/NAME.tar.gz, with `size` bytes that don't compress."""
    buffer = io.BytesIO()
    files = {"name": name.encode(), "code/inference.py": hosting.code(NAMED)}
    if size:
        files["weights"] = os.urandom(1 << 20) * (size >> 20)
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    hosting.put(f"s3://models/many/{name}.tar.gz", buffer.getvalue())


def many(hosting, **config):
    container = {
        "Image": hosting.image, "Mode": "MultiModel", "ModelDataUrl": "s3://models/many/",
        **config,
    }  # fmt: skip
    hosting.client.create_model(
        ModelName="many", PrimaryContainer=container, ExecutionRoleArn=hosting.role
    )
    endpoint(hosting, "many")


def ask(hosting, model, body=b"1"):
    answer = hosting.runtime.invoke_endpoint(
        EndpointName="live", Body=body, ContentType="text/csv", TargetModel=model
    )
    return answer["Body"].read().decode()


def laid_down(hosting):
    """Models in the folder of the one multi-model container."""
    (route,) = hosting.client.endpoint("live").routes
    found = Path(route.hops[0].folder).iterdir()
    return [path.name for path in found if not path.name.startswith(".")]


def test_models_are_loaded_on_demand_and_again_in_a_new_container(hosting, docker_cli):
    for name in ("a", "b"):
        put_model(hosting, name)
    many(hosting)
    started = time.monotonic()
    assert ask(hosting, "a.tar.gz") == "a:1"
    first = time.monotonic() - started
    started = time.monotonic()
    assert ask(hosting, "a.tar.gz") == "a:1"
    assert time.monotonic() - started < first / 3
    assert ask(hosting, "/b.tar.gz") == "b:1"
    assert len(laid_down(hosting)) == 2
    with pytest.raises(ValidationError, match="Failed to download model data"):
        ask(hosting, "c.tar.gz")
    put_model(hosting, "c")  # after the endpoint was made
    assert ask(hosting, "c.tar.gz") == "c:1"

    (before,) = hosting.instances("live")
    docker_cli("kill", *hosting.containers("live"))
    hosting.until(lambda: hosting.instances("live") not in ([], [before]))
    assert ask(hosting, "a.tar.gz") == "a:1"


def test_models_make_room_for_one_another_where_memory_is_short(hosting, docker_cli):
    """D5.3, D5.6: 507, and the one used least recently goes."""
    for name in ("a", "b", "c"):
        put_model(hosting, name, size=64 << 20)  # each asks for 192 MB to be loaded in
    many(hosting)
    (container,) = hosting.containers("live")
    docker_cli("update", "--memory", "420m", "--memory-swap", "420m", container)
    order = ["a", "b", "c", "a", "c", "b"]
    assert [ask(hosting, f"{name}.tar.gz") for name in order] == [f"{name}:1" for name in order]
    assert len(laid_down(hosting)) < 3


def test_models_that_are_not_kept_are_unloaded_after_each_call(hosting):
    put_model(hosting, "a")
    many(hosting, MultiModelConfig={"ModelCacheSetting": "Disabled"})
    assert [ask(hosting, "a.tar.gz") for _ in range(2)] == ["a:1", "a:1"]
    assert laid_down(hosting) == []


# asynchronous


def kill_owner(hosting):
    owner = hosting.client.endpoint("live").owner
    os.kill(owner.pid, signal.SIGKILL)
    hosting.until(lambda: not owner.is_alive())


def asynchronous(hosting, **client):
    hosting.model("echo", ECHO)
    output = {"S3OutputPath": "s3://models/out", "S3FailurePath": "s3://models/failed"}
    config = {"OutputConfig": output, **({"ClientConfig": client} if client else {})}
    endpoint(hosting, "echo", AsyncInferenceConfig=config)


def test_asynchronous_requests_go_through_the_store(hosting):
    asynchronous(hosting)
    session = Session(settings=hosting.settings)
    predictor = AsyncPredictor(Predictor("live", session, CSVSerializer(), accept="text/csv"))
    assert predictor.predict([["a", "b"]], waiter_config=WaiterConfig(10, 1)) == [["A", "B"]]
    with pytest.raises(ModelError, match="as told"):
        predictor.predict("raise", waiter_config=WaiterConfig(10, 1))
    with pytest.raises(ResourceNotFoundError, match="still be running"):
        predictor.predict_async("sleep 1").get_result()
    with pytest.raises(ValidationError, match="takes InvokeEndpointAsync only"):
        predictor.predictor.predict("1")
    late = hosting.runtime.invoke_endpoint_async(
        EndpointName="live", Body=b"sleep 3", InvocationTimeoutSeconds=1
    )
    assert b"timed out" in read(hosting, late["FailureLocation"])
    predictor.close()
    session.close()


def test_requests_outlive_an_owner_that_was_killed(hosting):
    asynchronous(hosting, MaxConcurrentInvocationsPerInstance=1)
    answers = [
        hosting.runtime.invoke_endpoint_async(
            EndpointName="live", Body=f"sleep 1 {number}", InferenceId=f"r{number}"
        )
        for number in range(3)
    ]
    time.sleep(0.5)  # the first is under way
    kill_owner(hosting)
    answers.append(
        hosting.runtime.invoke_endpoint_async(  # who asks, finds it a new owner
            EndpointName="live", Body="sleep 1 3", InferenceId="r3"
        )
    )
    for number, answer in enumerate(answers):
        assert read(hosting, answer["OutputLocation"]) == f"SLEEP 1 {number}".encode()


def test_an_endpoint_that_lost_owner_and_containers_is_brought_back_by_its_caller(
    hosting, docker_cli
):
    hosting.model("echo", ECHO)
    endpoint(hosting, "echo")
    kill_owner(hosting)
    docker_cli("rm", "-f", *hosting.containers("live"))  # as when the machine was started anew

    def answered():
        try:
            answer = hosting.runtime.invoke_endpoint(EndpointName="live", Body=b"a")
        except ValidationError:  # it is Creating
            return False
        return answer["Body"].read() == b"A"

    hosting.until(answered)


# data capture


def test_what_goes_in_and_out_is_captured(hosting):
    hosting.model("echo", ECHO)
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": "s3://models/captured",
        "CaptureOptions": [{"CaptureMode": "InputAndOutput"}],
        "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
    }
    endpoint(hosting, "echo", DataCaptureConfig=capture)

    def ask(number, body=None):
        hosting.runtime.invoke_endpoint(
            EndpointName="live",
            Body=body or f"a{number}",
            ContentType="text/csv",
            InferenceId=str(number),
        )

    def lines():
        found = []
        for info in hosting.client.store.list(S3Uri("models", "captured/live/v/")):
            with hosting.client.store.open(info.uri) as stream:
                found += [json.loads(line) for line in stream]
        return found

    ask(0)
    hosting.until(lines, 10)  # while the endpoint goes on
    (line,) = lines()
    assert line["captureData"] == {
        "endpointInput": {
            "observedContentType": "text/csv", "mode": "INPUT", "data": "a0", "encoding": "CSV",
        },
        "endpointOutput": {
            "observedContentType": "text/csv", "mode": "OUTPUT", "data": "A0", "encoding": "CSV",
        },
    }  # fmt: skip
    for number in range(1, 20):
        ask(number)
    late = threading.Thread(target=ask, args=(20, "sleep 3"))
    late.start()
    time.sleep(0.5)
    hosting.delete("live")  # it gets its answer, and its line
    late.join()
    ids = sorted(int(line["eventMetadata"]["inferenceId"]) for line in lines())
    assert ids == list(range(21))


def test_a_bucket_to_write_to_has_to_be_there_before_anything_starts(hosting):
    hosting.model("echo", ECHO)
    capture = {
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": "s3://nowhere/captured",
        "CaptureOptions": [{"CaptureMode": "Input"}],
    }
    variant = {"VariantName": "v", "ModelName": "echo", **INSTANCE}
    for name, settings in {
        "capture": {"DataCaptureConfig": {"EnableCapture": True, **capture}},
        "async": {"AsyncInferenceConfig": {"OutputConfig": {"S3OutputPath": "s3://nowhere/o"}}},
    }.items():
        hosting.client.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=[variant], **settings
        )
        with pytest.raises(StoreError, match="nowhere"):
            hosting.client.create_endpoint(EndpointName="live", EndpointConfigName=name)
    assert hosting.client.endpoints() == []


# the terminal


def test_the_terminal_streams_and_waits(hosting, tmp_path):
    hosting.model("words", WORDS)
    output = {"OutputConfig": {"S3OutputPath": "s3://models/out"}}
    endpoint(hosting, "words", AsyncInferenceConfig=output)
    hosting.put("s3://models/in/1", b"1")

    def sagedock(*arguments):
        program = Path(sys.executable).with_name("sagedock")
        command = [program, "--data", str(hosting.settings.data), "invoke", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    waited = sagedock("live", "--async", "--input-location", "s3://models/in/1", "--wait")
    assert waited.stdout == "0\n1\n2\n3\n", waited.stderr
    assert sagedock("live", "1").returncode == ValidationError.exit_code
