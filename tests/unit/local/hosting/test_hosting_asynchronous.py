"""invoke_endpoint_async and the owner that works requests off."""

import threading
import time

import pytest

from sagedock import requests
from sagedock.errors import (
    ModelError,
    ResourceNotFoundError,
    StoreError,
    UnsupportedError,
    UsageError,
    ValidationError,
)
from sagedock.launch.predictor import AsyncPredictor, Predictor, WaiterConfig
from sagedock.launch.serializers import CSVSerializer
from sagedock.launch.session import Session
from sagedock.local.hosting.async_records import AsyncRecords
from sagedock.local.hosting.owner.background import Background
from sagedock.store.disk import DiskStore
from sagedock.store.uri import S3Uri

OUTPUT = {"S3OutputPath": "s3://bucket/out", "S3FailurePath": "s3://bucket/failed/"}
CONFIG = {"OutputConfig": OUTPUT, "ClientConfig": {"MaxConcurrentInvocationsPerInstance": 2}}


@pytest.fixture
def store(world):
    store = DiskStore(world.settings.data)
    store.create_bucket("bucket")
    yield store
    store.close()


@pytest.fixture
def owner(world, store):
    """Makes owners of endpoint e, as its host does."""
    made = []

    def make(**settings):
        made.append(
            Background("e", settings=world.settings, store=store, records=world.records, **settings)
        )
        made[-1].start()
        made[-1].start()  # changes nothing
        return made[-1]

    yield make
    for item in made:
        if item not in ended:
            item.stop()


ended = []


def end(owner):
    ended.append(owner)
    owner.stop()


def ask(runtime, **arguments):
    return runtime.invoke_endpoint_async(EndpointName="e", **arguments)


def read(store, uri, seconds=10):
    """An object's bytes, when it is there."""
    until = time.monotonic() + seconds
    while True:
        try:
            with store.open(S3Uri.parse(uri)) as stream:
                return stream.read()
        except StoreError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)


def test_a_request_is_answered_into_the_store(world, runtime, store, owner, container):
    server = container(lambda request: (200, {}, request.body.upper()))
    world.endpoint(world.route(server.hop()), AsyncInferenceConfig=CONFIG)
    store.put(S3Uri("bucket", "in/1.csv"), b"a,b")
    answer = ask(
        runtime, InputLocation="s3://bucket/in/1.csv", ContentType="text/csv", Accept="x/y",
        CustomAttributes="c", InferenceId="mine",
    )  # fmt: skip
    assert answer == {
        "InferenceId": "mine",
        "OutputLocation": "s3://bucket/out/mine.out",
        "FailureLocation": "s3://bucket/failed/mine-error.out",
    }
    shape = requests.service_model("sagemaker-runtime").operation_model("InvokeEndpointAsync")
    assert set(answer) == set(shape.output_shape.members)
    owner()
    assert read(store, answer["OutputLocation"]) == b"A,B"
    ((_, headers, _),) = server.seen
    assert headers["Content-Type"] == "text/csv"
    assert headers["Content-Length"] == "3"
    assert headers["Accept"] == "x/y"
    assert headers["X-Amzn-SageMaker-Inference-Id"] == "mine"
    assert headers["X-Amzn-SageMaker-Custom-Attributes"] == "c"


def test_a_body_may_come_with_the_request(world, runtime, store, owner, container):
    world.endpoint(world.route(container().hop()), AsyncInferenceConfig=CONFIG)
    owner()
    answer = ask(runtime, Body=b"inline", Filename="x.json", S3OutputPathExtension="a/b")
    assert answer["OutputLocation"] == "s3://bucket/out/a/b/x.json"
    assert read(store, answer["OutputLocation"]) == b"inline"
    assert ask(runtime, Body=bytes(128_000))["InferenceId"] != answer["InferenceId"]
    with pytest.raises(ValidationError, match=r"at most 128,000 \(D4.1\)"):
        ask(runtime, Body=bytes(128_001))


def test_failures_go_where_failures_go(world, runtime, store, owner, container):
    server = container(lambda _: (500, {}, b"oops"))
    world.endpoint(world.route(server.hop()), AsyncInferenceConfig=CONFIG)
    owner()
    told = read(store, ask(runtime, Body=b"1")["FailureLocation"])
    assert told == b'Received server error (500) from primary with message "oops".\n'
    absent = ask(runtime, InputLocation="s3://bucket/none")
    assert b"No object s3://bucket/none" in read(store, absent["FailureLocation"])
    server.answer = lambda _: time.sleep(1.5)
    late = ask(runtime, Body=b"1", InvocationTimeoutSeconds=1)
    assert b"timed out" in read(store, late["FailureLocation"])
    assert not list(store.list(S3Uri("bucket", "out")))


def test_a_request_that_has_waited_too_long_is_not_asked_any_more(
    world, runtime, store, owner, container
):
    server = container()
    world.endpoint(world.route(server.hop()), AsyncInferenceConfig=CONFIG)
    answer = ask(runtime, Body=b"1", RequestTTLSeconds=60)
    runtime._queue()._do("UPDATE async_requests SET created = created - 61")
    owner()
    assert b"expired" in read(store, answer["FailureLocation"])
    assert server.seen == []


def test_no_more_are_under_way_than_the_configuration_says(world, runtime, store, owner, container):
    lock, now, most = threading.Lock(), [0], [0]

    def slow(request):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.1)
        with lock:
            now[0] -= 1
        return 200, {}, request.body

    world.endpoint(world.route(container(slow).hop()), AsyncInferenceConfig=CONFIG)
    answers = [ask(runtime, Body=str(number).encode()) for number in range(8)]
    owner()
    for number, answer in enumerate(answers):
        assert read(store, answer["OutputLocation"]) == str(number).encode()
    assert most[0] == 2


def test_requests_wait_for_instances(world, runtime, store, owner, container):
    world.endpoint(AsyncInferenceConfig=CONFIG)
    answer = ask(runtime, Body=b"1")
    owner()
    time.sleep(0.3)
    world.records.reroute("e", (world.route(container().hop()),))
    assert read(store, answer["OutputLocation"]) == b"1"


def test_what_a_killed_owner_was_at_is_asked_again(world, runtime, store, owner, container):
    world.endpoint(world.route(container().hop()), AsyncInferenceConfig=CONFIG)
    answer = ask(runtime, Body=b"1")
    killed = AsyncRecords(world.settings.data)
    assert [item.inference_id for item in killed.take("e", 5)] == [answer["InferenceId"]]
    killed.close()
    owner()
    assert read(store, answer["OutputLocation"]) == b"1"


def test_an_owner_that_has_to_end_leaves_what_takes_too_long_to_the_next(
    world, runtime, store, owner, container
):
    gate = threading.Event()

    def slow(request):
        gate.wait(5)
        return 200, {}, request.body

    server = container(slow)
    world.endpoint(world.route(server.hop()), AsyncInferenceConfig=CONFIG)
    answer = ask(runtime, Body=b"1")
    first = owner(drain_seconds=0.2)
    while not server.seen:
        time.sleep(0.01)
    started = time.monotonic()
    end(first)
    assert time.monotonic() - started < 3
    assert not list(store.list(S3Uri("bucket", "failed")))
    gate.set()
    owner()
    assert read(store, answer["OutputLocation"]) == b"1"


def test_what_waits_for_a_deleted_endpoint_is_forgotten(world, runtime, store, owner):
    world.endpoint(AsyncInferenceConfig=CONFIG)
    ask(runtime, Body=b"1")
    mine = owner()
    world.records.deleting("e")
    end(mine)
    assert runtime._queue().waiting("e") == 0


def test_what_can_not_be_answered_is_refused(world, runtime, store):
    world.endpoint(AsyncInferenceConfig=CONFIG)
    with pytest.raises(ValidationError, match="Exactly one of InputLocation and Body"):
        ask(runtime)
    with pytest.raises(ValidationError, match="Exactly one of InputLocation and Body"):
        ask(runtime, Body=b"1", InputLocation="s3://bucket/x")
    with pytest.raises(UnsupportedError, match="expected an s3:// URI"):
        ask(runtime, InputLocation="https://host/x")
    with pytest.raises(ValidationError, match="requestTTLSeconds"):
        ask(runtime, Body=b"1", RequestTTLSeconds=21_601)
    with pytest.raises(ValidationError, match="invocationTimeoutSeconds"):
        ask(runtime, Body=b"1", InvocationTimeoutSeconds=3601)
    with pytest.raises(ResourceNotFoundError):
        runtime.invoke_endpoint_async(EndpointName="none", Body=b"1")
    world.endpoint(name="live")
    with pytest.raises(ValidationError, match="is no asynchronous endpoint"):
        runtime.invoke_endpoint_async(EndpointName="live", Body=b"1")
    nowhere = {"OutputConfig": {"S3OutputPath": "s3://nowhere/out"}}
    world.endpoint(name="nowhere", AsyncInferenceConfig=nowhere)
    with pytest.raises(StoreError, match="nowhere"):
        runtime.invoke_endpoint_async(EndpointName="nowhere", Body=b"1")
    world.endpoint(name="silent", AsyncInferenceConfig={"OutputConfig": {}})
    with pytest.raises(UnsupportedError, match="no S3OutputPath"):
        runtime.invoke_endpoint_async(EndpointName="silent", Body=b"1")


def test_an_async_predictor_gives_results_when_they_are_there(world, store, owner, container):
    server = container(lambda request: (200, {"Content-Type": "text/csv"}, request.body))
    world.endpoint(world.route(server.hop()), AsyncInferenceConfig=CONFIG)
    session = Session(settings=world.settings)
    predictor = AsyncPredictor(Predictor("e", session, CSVSerializer(), accept="text/csv"))
    with pytest.raises(UsageError, match="Give data, or input_path"):
        predictor.predict_async()
    response = predictor.predict_async([[1, 2]], inference_id="one")
    with pytest.raises(ResourceNotFoundError, match="could still be running"):
        response.get_result()
    owner()
    assert response.get_result(WaiterConfig(max_attempts=10, delay=1)) == [["1", "2"]]
    assert response.get_result() == [["1", "2"]]
    assert predictor.predict([[3]], "s3://bucket/in/3") == [["3"]]
    assert predictor.predict(input_path="s3://bucket/in/3") == [["3"]]
    assert {headers["Content-Type"] for _, headers, _ in server.seen} == {"text/csv"}
    server.answer = lambda _: (400, {}, b"bad row")
    with pytest.raises(ModelError, match="bad row"):
        predictor.predict([[4]])
    predictor.close()
    session.close()
