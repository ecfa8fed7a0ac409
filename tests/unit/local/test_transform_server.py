"""Requests to a model's container: tries and pauses (E11), chunks (E5), refusals, time."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from model_server_kit import Request, serving
from transform_kit import source

from sagedock.errors import JobFailedError
from sagedock.local.transform.bodies import Body, Span, Stream
from sagedock.local.transform.server import ModelServer, Pauses

QUICK = Pauses(first=0.05, longest=0.1)


def ask(
    address: tuple[str, int], body: Body = b"1", *, timeout: float = 10, retries: int = 3,
    alive: bool = True, server: ModelServer | None = None,
) -> bytes:  # fmt: skip
    mine = server or ModelServer(address, QUICK)
    try:
        answer = mine.invoke(
            body, {"Content-Type": "text/csv"}, timeout=timeout, retries=retries,
            alive=lambda: alive,
        )  # fmt: skip
        if isinstance(answer, bytes):
            return answer
        with answer:
            return answer.read()
    finally:
        if not server:
            mine.close()


def failing(*statuses: int) -> Iterator[int]:
    yield from statuses
    while True:
        yield 200


@pytest.mark.parametrize("status", [500, 503, 429])
def test_what_may_do_later_is_tried_again_after_a_pause(status: int) -> None:
    """E11."""
    left = failing(status, status)
    with serving(lambda request: (next(left), request.body)) as model:
        start = time.monotonic()
        assert ask(model.address, b"x") == b"x"
        assert len(model.requests) == 3
        assert time.monotonic() - start > (0.05 + 0.1) * 0.75


def test_pauses_grow_up_to_a_limit_and_are_never_the_same() -> None:
    pauses = Pauses(first=1, longest=5)
    for tried, expected in ((1, 1), (2, 2), (3, 4), (4, 5), (9, 5)):
        found = [pauses.before(tried) for _ in range(50)]
        assert all(expected * 0.75 <= pause <= expected * 1.25 for pause in found)
        assert len(set(found)) > 1


def test_tries_end_with_the_containers_own_words() -> None:
    with (
        serving(lambda request: (500, b"no such layer")) as model,
        pytest.raises(JobFailedError) as caught,
    ):
        ask(model.address, retries=2)
    assert caught.value.message == "AlgorithmError: 500 Message: no such layer (tried 3 times)"
    assert len(model.requests) == 3


def test_what_is_the_callers_fault_is_not_tried_again() -> None:
    with (
        serving(lambda request: (400, b"row 3, column 2")) as model,
        pytest.raises(JobFailedError, match=r"^ClientError: 400 Message: row 3, column 2$"),
    ):
        ask(model.address)
    assert len(model.requests) == 1


def test_a_container_that_has_ended_is_not_asked_again() -> None:
    with serving(lambda request: (500, b"")) as model, pytest.raises(JobFailedError):
        ask(model.address, alive=False)
    assert len(model.requests) == 1


def test_an_answer_that_takes_too_long() -> None:
    def slow(request: Request) -> tuple[int, bytes]:
        time.sleep(0.5)
        return 200, b""

    with (
        serving(slow) as model,
        pytest.raises(JobFailedError, match=r"Unable to get response from algorithm: none within"),
    ):
        ask(model.address, timeout=0.1, retries=0)


def test_an_answer_that_trickles_has_no_more_time_than_another() -> None:
    """Its parts come in time, all of it doesn't."""
    listener = socket.create_server(("127.0.0.1", 0))

    def trickle() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            for _ in range(40):
                time.sleep(0.05)
                try:
                    connection.sendall(b"x")
                except OSError:
                    return

    thread = threading.Thread(target=trickle)
    thread.start()
    start = time.monotonic()
    with pytest.raises(JobFailedError, match=r"none within 0\.4 s"):
        ask(listener.getsockname(), timeout=0.4, retries=0)
    assert time.monotonic() - start < 1.5
    thread.join()
    listener.close()


def test_a_connection_is_kept_and_made_anew_where_it_was_closed() -> None:
    """Without counting as a try."""
    with serving(lambda request: (200, request.body)) as model:
        server = ModelServer(model.address)
        for _ in range(3):
            ask(model.address, server=server, retries=0)
        assert model.connections == 1
        server._open[0]._connection.sock.shutdown(socket.SHUT_WR)  # the other end closes then
        time.sleep(0.2)
        assert ask(model.address, b"again", server=server, retries=0) == b"again"
        assert model.connections == 2
        server.close()


def test_a_span_arrives_whole() -> None:
    data = bytes(range(256)) * 40_000
    whole = source(data)
    with serving(lambda request: (200, request.body[:10])) as model:
        assert ask(model.address, Span(whole, 1, len(data) - 2)) == data[1:11]
    (request,) = model.requests
    assert request.body == data[1:-1]
    assert request.headers["content-length"] == str(len(data) - 2)
    whole.stream.close()


def test_a_body_without_a_limit_goes_in_chunks_and_anew_for_each_try() -> None:
    """E5: MaxPayloadInMB 0."""
    data = bytes(range(256)) * 10_000
    whole = source(data)
    begun = []

    def parts() -> Iterator[bytes | Span]:
        begun.append(1)
        yield Span(whole, 0, whole.size)
        yield b""  # an empty chunk would end the body
        yield b"end"

    left = failing(500)
    with serving(lambda request: (next(left), request.body)) as model:
        assert ask(model.address, Stream(parts)) == data + b"end"
    assert len(begun) == len(model.requests) == 2
    for request in model.requests:
        assert request.headers["transfer-encoding"] == "chunked"
        assert "content-length" not in request.headers
        assert max(request.chunks) <= 1 << 20
        assert request.body == data + b"end"
    whole.stream.close()


def test_a_refusal_that_comes_before_all_is_sent_is_heard() -> None:
    """A server that reads no more than it must: its 413 is what the user has to see."""
    whole = source(bytes(30 << 20))
    listener = socket.create_server(("127.0.0.1", 0))

    def refuse() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(
                b"HTTP/1.1 413 Too Large\r\nContent-Length: 9\r\nConnection: close\r\n\r\ntoo large"
            )
            time.sleep(0.3)

    thread = threading.Thread(target=refuse)
    thread.start()
    with pytest.raises(JobFailedError, match=r"^ClientError: 413 Message: too large$"):
        ask(listener.getsockname(), Span(whole, 0, whole.size), retries=0)
    thread.join()
    listener.close()
    whole.stream.close()


def test_an_input_that_shrinks_while_it_is_sent_is_told() -> None:
    whole = source(b"x" * 100)
    with (
        serving(lambda request: (200, b"")) as model,
        pytest.raises(JobFailedError, match="x ended at byte 100 while it was read"),
    ):
        ask(model.address, Span(whole, 0, 200), retries=0)
    whole.stream.close()


@pytest.mark.parametrize("head", [b"Content-Length: 10", b"Transfer-Encoding: chunked"])
def test_an_answer_that_breaks_off_is_none(head: bytes) -> None:
    """It is tried again, and never taken for the whole."""
    listener = socket.create_server(("127.0.0.1", 0))
    asked = []

    def break_off() -> None:
        for _ in range(2):
            connection, _ = listener.accept()
            with connection:
                asked.append(connection.recv(65536))
                connection.sendall(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n5\r\n12345")

    thread = threading.Thread(target=break_off)
    thread.start()
    with pytest.raises(JobFailedError, match="Unable to get response from algorithm"):
        ask(listener.getsockname(), retries=1)
    thread.join()
    listener.close()
    assert len(asked) == 2


def test_a_connection_that_is_closed_under_a_request_costs_no_try() -> None:
    """Servers let go of idle connections, some at the very moment a request comes."""
    listener = socket.create_server(("127.0.0.1", 0))
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    def serve() -> None:
        first, _ = listener.accept()
        with first:
            first.recv(65536)
            first.sendall(answer)
            first.recv(65536)  # the second request, and no answer to it
        second, _ = listener.accept()
        with second:
            second.recv(65536)
            second.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    server = ModelServer(listener.getsockname(), QUICK)
    for _ in range(2):
        assert ask(listener.getsockname(), server=server, retries=0) == b"ok"
    thread.join()
    server.close()
    listener.close()
