"""invoke_endpoint_with_response_stream: parts as they come, and streams that end before time."""

import threading
import time

import pytest

from sagedock import requests
from sagedock.errors import ModelError, ModelStreamError, ValidationError
from sagedock.launch.iterators import ByteIterator, LineIterator
from sagedock.local.hosting.calls.runtime import LocalRuntime


def ask(runtime, **arguments):
    return runtime.invoke_endpoint_with_response_stream(EndpointName="e", Body=b"1", **arguments)


def parts(answer):
    return [event["PayloadPart"]["Bytes"] for event in answer["Body"]]


def test_parts_come_while_the_model_still_works(world, runtime, container):
    gate = threading.Event()

    def slow(_):
        def words():
            yield b"first"
            assert gate.wait(10)
            yield b"second"

        return 200, {"Content-Type": "text/plain"}, words()

    world.endpoint(world.route(container(slow).hop()))
    answer = ask(runtime)
    events = iter(answer["Body"])
    assert next(events) == {"PayloadPart": {"Bytes": b"first"}}
    gate.set()
    assert [event["PayloadPart"]["Bytes"] for event in events] == [b"second"]
    del answer["Body"]
    assert answer == {"ContentType": "text/plain", "InvokedProductionVariant": "v"}


def test_the_answer_has_the_members_of_the_services_model(world, runtime, container):
    attributes = {"X-Amzn-SageMaker-Custom-Attributes": "a"}
    world.endpoint(world.route(container(lambda _: (200, attributes, b"")).hop()))
    model = requests.service_model("sagemaker-runtime")
    shape = model.operation_model("InvokeEndpointWithResponseStream").output_shape
    answer = ask(runtime)
    assert set(answer) == set(shape.members)
    assert parts(answer) == []


def test_an_answer_in_one_piece_is_a_stream_too(world, runtime, container):
    world.endpoint(world.route(container(lambda _: (200, {}, b"whole")).hop()))
    with ask(runtime)["Body"] as stream:
        assert list(ByteIterator(stream)) == [b"whole"]


def test_lines_come_when_they_are_whole(world, runtime, container):
    server = container(lambda _: (200, {}, iter([b"a\nb", b"c\n", b"d"])))
    world.endpoint(world.route(server.hop()))
    assert list(LineIterator(ask(runtime)["Body"])) == [b"a", b"bc", b"d"]


def test_only_the_last_of_a_pipelines_containers_streams(world, runtime, container):
    first = container(lambda _: (200, {}, iter([b"a", b"b"])))
    last = container(lambda request: (200, {}, iter([request.body, b"c"])))
    world.endpoint(world.route(first.hop("a"), last.hop("b")))
    assert parts(ask(runtime)) == [b"ab", b"c"]


def test_an_error_before_the_stream_is_a_model_error(world, runtime, container):
    world.endpoint(world.route(container(lambda _: (400, {}, b"bad")).hop()))
    with pytest.raises(ModelError, match="bad"):
        ask(runtime)
    with pytest.raises(ValidationError, match="Unknown parameter"):
        ask(runtime, TargetModel="x")  # the API has none here


def test_a_stream_that_breaks_off_says_so(world, runtime, container):
    def broken(request):
        def words():
            yield b"a"
            request.close_connection = True
            raise ConnectionError

        return 200, {}, words()

    world.endpoint(world.route(container(broken).hop()))
    events = iter(ask(runtime)["Body"])
    assert next(events)["PayloadPart"]["Bytes"] == b"a"
    with pytest.raises(ModelStreamError, match="broke off") as told:
        next(events)
    assert told.value.error_code == "StreamBroken"
    assert told.value.response["ErrorCode"] == "StreamBroken"
    assert told.value.response["Error"]["Code"] == "ModelStreamError"


def test_a_stream_that_takes_too_long_says_so(world, container):
    def endless(_):
        def words():
            for _ in range(100):
                yield b"a"
                time.sleep(0.05)

        return 200, {}, words()

    world.endpoint(world.route(container(endless).hop()))
    hasty = LocalRuntime(world.settings, stream_seconds=0.3)
    started = time.monotonic()
    with pytest.raises(ModelStreamError, match=r"more than 0.3 s \(D3.8\)") as told:
        parts(ask(hasty))
    assert told.value.error_code == "ModelInvocationTimeExceeded"
    assert time.monotonic() - started < 2
    hasty.close()


def test_a_stream_may_be_left_and_others_go_on(world, runtime, container):
    server = container(lambda _: (200, {}, iter([b"a", b"b"])))
    world.endpoint(world.route(server.hop()))
    first, second = ask(runtime), ask(runtime)
    first["Body"].close()
    assert parts(second) == [b"a", b"b"]
