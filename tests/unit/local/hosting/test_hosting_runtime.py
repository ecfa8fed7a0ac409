"""invoke_endpoint: what is sent, what comes back, which instance is asked, what is refused."""

import io
import socket
import threading
import time

import pytest

from sagedock import requests
from sagedock.errors import (
    ModelError,
    ResourceNotFoundError,
    UnsupportedError,
    ValidationError,
)
from sagedock.local.hosting.calls import connections
from sagedock.local.hosting.calls.checks import BODY_BYTES
from sagedock.local.hosting.calls.delivery import SERVERLESS_BYTES, Delivery
from sagedock.local.hosting.calls.invocation import HOP_BYTES
from sagedock.local.hosting.calls.runtime import LocalRuntime


def ask(runtime, body=b"1", **arguments):
    return runtime.invoke_endpoint(EndpointName="e", Body=body, **arguments)


# one container


def test_headers_go_there_and_back_and_others_are_the_platforms(world, runtime, container):
    attributes = "X-Amzn-SageMaker-Custom-Attributes"
    server = container(lambda _: (200, {"Content-Type": "a/b", attributes: "back"}, b"0.5"))
    world.endpoint(world.route(server.hop()))
    answer = ask(
        runtime, "1,2", ContentType="text/csv", Accept="x/y", CustomAttributes="c=1",
        InferenceId="id 1",
    )  # fmt: skip
    assert answer["Body"].read() == b"0.5"
    del answer["Body"]
    assert answer == {
        "ContentType": "a/b", "InvokedProductionVariant": "v", "CustomAttributes": "back",
    }  # fmt: skip
    path, headers, body = server.seen[0]
    assert (path, body) == ("/invocations", b"1,2")
    assert headers["Content-Type"] == "text/csv"
    assert headers["Accept"] == "x/y"
    assert headers[attributes] == "c=1"
    assert headers["X-Amzn-SageMaker-Inference-Id"] == "id 1"


def test_the_answer_has_the_members_of_the_services_model(world, runtime, container):
    attributes = {"x-amzn-sagemaker-custom-attributes": "a", "content-type": "text/csv"}
    server = container(lambda _: (200, attributes, b"0.5"))
    world.endpoint(world.route(server.hop()))
    model = requests.service_model("sagemaker-runtime")
    known = model.operation_model("InvokeEndpoint").output_shape.members
    answer = ask(runtime)
    assert set(answer) <= set(known)
    assert answer["ContentType"] == "text/csv"
    assert answer["CustomAttributes"] == "a"


def test_the_body_is_read_as_botocores_is(world, runtime, container):
    server = container()
    world.endpoint(world.route(server.hop()))
    assert list(ask(runtime, b"a\nb\nc")["Body"].iter_lines()) == [b"a", b"b", b"c"]
    assert list(ask(runtime, b"abc")["Body"].iter_chunks(2)) == [b"ab", b"c"]
    with ask(runtime, io.BytesIO(b"file"))["Body"] as body:
        assert body.read() == b"file"


def test_a_chunked_answer_is_whole_and_the_connection_is_kept(world, runtime, container):
    server = container(lambda _: (200, {}, iter([b"a" * 70_000, b"b"])))
    world.endpoint(world.route(server.hop()))
    assert ask(runtime)["Body"].read() == b"a" * 70_000 + b"b"
    assert ask(runtime)["Body"].read() == b"a" * 70_000 + b"b"
    assert len(server.connections) == 1


def test_an_error_is_told_as_the_service_does_with_botocores_members(world, runtime, container):
    server = container(lambda _: (400, {}, b'{"error": "row 1"}'))
    world.endpoint(world.route(server.hop()))
    with pytest.raises(ModelError) as told:
        ask(runtime)
    message = 'Received client error (400) from primary with message "{"error": "row 1"}".'
    assert told.value.message == message
    assert (told.value.status, told.value.body) == (400, b'{"error": "row 1"}')
    response = told.value.response
    assert response["Error"] == {"Code": "ModelError", "Message": message}
    assert response["OriginalStatusCode"] == 400
    assert response["OriginalMessage"] == '{"error": "row 1"}'
    assert response["LogStreamArn"].endswith(":log-group:/aws/sagemaker/Endpoints/e")
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 424


@pytest.mark.parametrize("drip", [False, True])
def test_an_answer_that_takes_too_long_is_no_answer(world, container, drip):
    def slow(_):
        def parts():
            for _ in range(20):
                yield b"x"
                time.sleep(0.1)

        if not drip:
            time.sleep(1)
        return 200, {}, parts()

    server = container(slow)
    world.endpoint(world.route(server.hop()))
    hasty = LocalRuntime(world.settings, seconds=0.3)
    started = time.monotonic()
    with pytest.raises(ModelError, match=r"(?s)timed out while waiting.*within 0.3 s") as told:
        ask(hasty)
    assert time.monotonic() - started < 0.9
    assert told.value.status == 0
    hasty.close()


def test_an_answer_that_breaks_off_is_told_and_not_asked_for_again(world, runtime, container):
    server = container(lambda request: request.connection.close())
    world.endpoint(world.route(server.hop()))
    with pytest.raises(ModelError, match="broke off"):
        ask(runtime)
    assert len(server.seen) == 1

    def break_off(request):
        request.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        request.connection.shutdown(socket.SHUT_RDWR)

    half = container(break_off)
    world.endpoint(world.route(half.hop()), name="half")
    with pytest.raises(ModelError, match="broke off"):
        runtime.invoke_endpoint(EndpointName="half", Body=b"")


def test_a_server_may_refuse_a_large_body_before_it_has_read_it(world, runtime, container):
    server = container()

    def refuse(request):
        request.close_connection = True
        return 413, {"Connection": "close"}, b"too large"

    server.answer = refuse
    world.endpoint(world.route(server.hop()))
    with pytest.raises(ModelError, match="413"):
        ask(runtime, bytes(BODY_BYTES))


def test_an_answer_larger_than_the_api_gives_back_is_refused(world, runtime, container):
    server = container(lambda _: (200, {}, bytes(BODY_BYTES + 1)))
    world.endpoint(world.route(server.hop()))
    with pytest.raises(ModelError, match=r"more than 6,291,456 bytes \(D3.9\)"):
        ask(runtime)
    server.answer = lambda _: (200, {}, b"small")
    assert ask(runtime)["Body"].read() == b"small"


# requests that are none


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"CustomAttributes": "ü"}, ValidationError, "customAttributes"),
        ({"CustomAttributes": "x" * 1025}, ValidationError, "less than or equal to 1024"),
        ({"CustomAttributes": "a\r\nX: y"}, ValidationError, "visible characters only"),
        ({"InferenceId": "x" * 65}, ValidationError, "less than or equal to 64"),
        ({"TargetModel": " x"}, ValidationError, "targetModel"),
        ({"TargetModel": "x.tar.gz"}, ValidationError, "not a multi-model endpoint"),
        ({"TargetContainerHostname": "x"}, ValidationError, "does not support target container"),
        ({"TargetVariant": "other"}, ValidationError, "no variant 'other'; its variants: v"),
        ({"Endpoint": "x"}, ValidationError, 'Unknown parameter in input: "Endpoint"'),
        ({"ContentType": ["x"]}, ValidationError, "Invalid type for parameter ContentType"),
        ({"EnableExplanations": "x"}, UnsupportedError, "EnableExplanations"),
        ({"SessionId": "NEW_SESSION"}, UnsupportedError, "SessionId"),
        ({"InferenceComponentName": "x"}, UnsupportedError, "InferenceComponentName"),
    ],
)
def test_what_the_service_would_not_take_is_refused(
    world, runtime, container, arguments, error, match
):
    server = container()
    world.endpoint(world.route(server.hop()))
    for _ in range(2):  # the second time it may be known already
        with pytest.raises(error, match=match):
            ask(runtime, **arguments)
    assert server.seen == []


def test_bodies_are_limited_and_needed(world, runtime, container):
    world.endpoint(world.route(container().hop()))
    with pytest.raises(ValidationError, match="6,291,457 bytes"):
        ask(runtime, bytes(BODY_BYTES + 1))
    with pytest.raises(ValidationError, match='Missing required parameter in input: "Body"'):
        runtime.invoke_endpoint(EndpointName="e")
    with pytest.raises(ValidationError, match="of type int"):
        ask(runtime, 7)
    with pytest.raises(ResourceNotFoundError, match="none"):
        runtime.invoke_endpoint(EndpointName="none", Body=b"")


def test_serverless_variants_take_less(world, runtime, container):
    serverless = {"VariantName": "v", "ServerlessConfig": {"MemorySizeInMB": 1024}}
    world.endpoint(world.route(container().hop()), variants=[serverless])
    assert ask(runtime, bytes(SERVERLESS_BYTES))
    with pytest.raises(ValidationError, match=r"serverless endpoint takes at most 4,194,304"):
        ask(runtime, bytes(SERVERLESS_BYTES + 1))


def test_asynchronous_endpoints_take_asynchronous_requests_only(world, runtime, container):
    config = {"OutputConfig": {"S3OutputPath": "s3://bucket/out"}}
    world.endpoint(world.route(container().hop()), AsyncInferenceConfig=config)
    with pytest.raises(ValidationError, match="takes InvokeEndpointAsync only"):
        ask(runtime)


# pipelines


def test_a_pipelines_containers_answer_one_another(world, runtime, container):
    first = container(lambda request: (200, {"Content-Type": "mid/dle"}, request.body + b"1"))
    second = container(lambda request: (200, {"Content-Type": "last"}, request.body + b"2"))
    world.endpoint(world.route(first.hop("a"), second.hop("b")))
    answer = ask(
        runtime, b"0", ContentType="text/csv", Accept="x/y", CustomAttributes="c", InferenceId="i"
    )
    assert answer["Body"].read() == b"012"
    assert answer["ContentType"] == "last"
    ((_, to_first, _),), ((_, to_second, _),) = first.seen, second.seen
    assert (to_first["Content-Type"], to_first["Accept"]) == ("text/csv", None)
    assert (to_second["Content-Type"], to_second["Accept"]) == ("mid/dle", "x/y")
    for headers in (to_first, to_second):
        assert headers["X-Amzn-SageMaker-Custom-Attributes"] == "c"
        assert headers["X-Amzn-SageMaker-Inference-Id"] == "i"


def test_a_pipelines_errors_name_the_container(world, runtime, container):
    first, second = container(), container(lambda _: (500, {}, b"oops"))
    world.endpoint(world.route(first.hop("a"), second.hop("b")))
    with pytest.raises(ModelError, match=r'server error \(500\) from b with message "oops"'):
        ask(runtime)
    first.answer = lambda _: (200, {}, bytes(HOP_BYTES + 1))
    with pytest.raises(ModelError, match=r"container a has more than 5,242,880 bytes \(D5.11\)"):
        ask(runtime)
    first.answer = lambda _: (200, {}, bytes(HOP_BYTES))
    with pytest.raises(ModelError, match="oops"):
        ask(runtime)
    second.close()
    first.answer = lambda _: (200, {}, b"")
    sent = len(first.seen)
    with pytest.raises(ModelError, match="container b"):
        ask(runtime)
    assert len(first.seen) == sent + 1  # what has reached a container is never sent again


def test_directly_asked_containers_are_asked_one_by_one(world, runtime, container):
    first, second = container(lambda _: (200, {}, b"1")), container(lambda _: (200, {}, b"2"))
    world.endpoint(world.route(first.hop("a"), second.hop("b"), direct=True))
    assert ask(runtime, TargetContainerHostname="b")["Body"].read() == b"2"
    assert ask(runtime, TargetContainerHostname="a")["Body"].read() == b"1"
    with pytest.raises(ValidationError, match="its containers: a, b"):
        ask(runtime)
    with pytest.raises(ValidationError, match="no container 'c'"):
        ask(runtime, TargetContainerHostname="c")


# which instance


def test_variants_share_by_weight_or_are_asked_for(world, runtime, container):
    servers = [container(lambda _, word=word: (200, {}, word)) for word in (b"a", b"b")]
    routes = [
        world.route(server.hop(), variant=name, instance=name, weight=weight)
        for server, name, weight in zip(servers, "ab", (3.0, 1.0), strict=True)
    ]
    world.endpoint(*routes, variants=[{"VariantName": "a"}, {"VariantName": "b"}])
    answers = [ask(runtime)["Body"].read() for _ in range(400)]
    assert 60 <= answers.count(b"b") <= 140
    assert ask(runtime, TargetVariant="b")["InvokedProductionVariant"] == "b"


def test_a_container_that_is_gone_is_left_for_the_one_in_its_place(world, runtime, container):
    old, new = container(), container(lambda _: (200, {}, b"new"))
    world.endpoint(world.route(old.hop(), instance="old"))
    assert ask(runtime)["Body"].read() == b"1"
    old.close()

    def switch():
        time.sleep(0.3)
        world.records.reroute("e", (world.route(new.hop(), instance="new"),))

    thread = threading.Thread(target=switch)
    thread.start()
    assert ask(runtime)["Body"].read() == b"new"
    thread.join()


def test_another_instance_is_asked_where_one_is_gone(world, runtime, container):
    gone, there = container(), container(lambda _: (200, {}, b"there"))
    gone.close()
    world.endpoint(
        world.route(gone.hop(), instance="gone", weight=99.0),
        world.route(there.hop(), instance="there"),
    )
    started = time.monotonic()
    assert {ask(runtime)["Body"].read() for _ in range(20)} == {b"there"}
    assert time.monotonic() - started < 1


def test_an_endpoint_without_instances_is_waited_for_and_then_unavailable(
    world, runtime, container
):
    world.endpoint()
    server = container()
    timer = threading.Timer(0.2, world.records.reroute, ("e", (world.route(server.hop()),)))
    timer.start()
    assert ask(runtime)["Body"].read() == b"1"
    timer.join()
    world.records.reroute("e", ())
    runtime._delivery = Delivery(
        world.settings, world.records, connections.Connections(), lambda: None, patience=0.2
    )
    with pytest.raises(ModelError, match="it has no instance just now") as told:
        ask(runtime)
    assert told.value.status == 503
    world.records.failed("e", "for a reason")
    with pytest.raises(ValidationError, match="Failed, not InService: for a reason"):
        ask(runtime)


# connections


def test_a_connection_that_the_server_has_closed_is_not_used(world, runtime, container):
    server = container()
    world.endpoint(world.route(server.hop()))
    for _ in range(5):
        assert ask(runtime)["Body"].read() == b"1"
        server.drop_connections()
        time.sleep(0.01)
    assert len(server.seen) == 5  # each once


def test_a_connection_that_lay_idle_is_not_used(world, runtime, container):
    server = container()
    world.endpoint(world.route(server.hop()))
    ask(runtime)
    ask(runtime)
    assert len(server.connections) == 1
    time.sleep(connections.IDLE_SECONDS + 0.1)
    ask(runtime)
    assert len(server.connections) == 2


def test_threads_share_connections_but_never_at_a_time(world, runtime, container):
    server = container()
    world.endpoint(world.route(server.hop()))
    wrong = []

    def work(number):
        for count in range(50):
            sent = f"{number}-{count}".encode()
            if ask(runtime, sent)["Body"].read() != sent:
                wrong.append(sent)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(server.connections) <= 4


def test_threads_that_have_ended_leave_their_connections_to_others(world, runtime, container):
    server = container()
    world.endpoint(world.route(server.hop()))
    for _ in range(10):
        thread = threading.Thread(target=ask, args=(runtime,))
        thread.start()
        thread.join()
    assert len(server.connections) == 1


def test_connections_to_containers_of_old_are_not_kept(world, runtime, container):
    old, new = container(), container()
    world.endpoint(world.route(old.hop()))
    ask(runtime)
    world.records.reroute("e", (world.route(new.hop()),))
    time.sleep(connections.IDLE_SECONDS + 0.1)
    ask(runtime)
    (kept,) = runtime._connections._idle.values()
    assert [item.address[1] for item in kept] == [new.port]
