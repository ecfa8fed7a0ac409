"""A connection's lane: plain requests, however they arrive, and all that it leaves to uvicorn."""

import asyncio
import contextlib
import re

import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sagedock.runtime.serve.lane import Heads, Lane
from sagedock.runtime.serve.metrics import Counters
from sagedock.runtime.serve.problems import Refusal

CHUNKED = (
    b"POST /invocations HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"1\r\n7\r\n0\r\n\r\n"
)


class Echo:
    """Answers a body with itself, after as many turns of the loop as its first byte says."""

    limit = 100_000

    def __init__(self):
        self.asked = []

    def accepts(self, content_type, accept):
        if accept == "image/png":
            raise Refusal(406, "no pictures")
        return accept or "text/csv"

    def submit(self, body, content_type, accept, done):
        self.asked.append(body)
        answer = {b"bad": Refusal(400, "bad row", row=1), b"odd": ValueError("odd")}.get(body, body)
        delay = 0.2 if body == b"slow" else 0
        asyncio.get_running_loop().call_later(delay, done, answer)


async def app(scope, receive, send):
    """What uvicorn runs for what isn't plain."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body")
    answer = b"asgi " + scope["path"].encode() + b" " + body[:10]
    headers = [(b"content-length", b"%d" % len(answer))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


class Site:
    """A listening server made of lanes."""

    def __init__(self):
        self.server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None))
        self.server.config.load()
        self.echo = Echo()
        self.counters = Counters(1)

    async def __aenter__(self):
        state, loop = self.server.server_state, asyncio.get_running_loop()
        heads = Heads(self.echo)
        self.listening = await loop.create_server(
            lambda: Lane(
                heads, self.echo, self.counters.slot(0), state.connections,
                lambda: HttpToolsProtocol(self.server.config, state, {}, _loop=loop),
            ),
            "127.0.0.1", 0,
        )  # fmt: skip
        self.port = self.listening.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *error):
        self.listening.close()
        for one in list(self.server.server_state.connections):
            one.shutdown()

    @contextlib.asynccontextmanager
    async def connection(self):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        yield reader, writer
        writer.close()


def post(body, *lines, path="/invocations"):
    more = "".join(f"{line}\r\n" for line in lines)
    return (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode()
        + body
    )


async def answer(reader):
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    length = int(re.search(rb"content-length: (\d+)", head)[1])
    return int(head.split()[1]), await reader.readexactly(length), head


def run(test):
    async def inside():
        async with Site() as site:
            return await test(site)

    return asyncio.run(inside())


def ask(*pieces, answers=1):
    """Sends the pieces with a pause between them; (status, body) of each answer."""

    async def test(site):
        async with site.connection() as (reader, writer):
            for piece in pieces:
                writer.write(piece)
                await asyncio.sleep(0.005)
            return [(await answer(reader))[:2] for _ in range(answers)]

    return run(test)


def test_a_plain_request_never_meets_asgi():
    assert ask(post(b"1,2"), post(b"1,2,3"), answers=2) == [(200, b"1,2"), (200, b"1,2,3")]


def test_head_and_body_apart_and_a_body_in_parts():
    whole = post(b"x" * 50_000)
    head = whole.index(b"x" * 9)
    assert ask(whole[:head], whole[head:]) == [(200, b"x" * 50_000)]
    assert ask(*(whole[at : at + 9000] for at in range(0, len(whole), 9000)))[0][0] == 200


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([b"1", b"22", b"bad", b"odd", b"z" * 300]), min_size=1, max_size=6),
       st.lists(st.integers(1, 400), max_size=8))  # fmt: skip
def test_requests_on_end_get_their_answers_in_order_wherever_they_are_cut(bodies, cuts):
    stream, pieces = b"".join(map(post, bodies)), []
    for cut in cuts:
        pieces.append(stream[:cut])
        stream = stream[cut:]
    found = ask(*filter(None, [*pieces, stream]), answers=len(bodies))
    for body, (status, said) in zip(bodies, found, strict=True):
        if status == 200:  # by the lane, or by uvicorn once a head came in parts
            assert said in (body, b"asgi /invocations " + body[:10])
        else:
            assert status == {b"bad": 400, b"odd": 500}[body]


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n",
        post(b"1", path="/invocations?x=1"),
        post(b"1", "Accept: image/png"),
        post(b"1", "Connection: close"),
        post(b"1", "X-Twice: 1", "X-Twice: 2"),
        post(b""),
        post(b"y" * 100_001),
        CHUNKED,
        b"POST /invocations HTTP/1.0\r\nContent-Length: 1\r\n\r\n1",
    ],
)
def test_what_isnt_plain_is_uvicorns(request_):
    ((status, said),) = ask(request_)
    assert (status, said[:5]) == (200, b"asgi ")


@pytest.mark.parametrize(
    "request_",
    [
        b"\0\1\2\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n11",
        b"POST /invocations HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1",
        b"POST /invocations HTTP/1.1\r\nContent-Length: x\r\n\r\n1",
        b"POST /invocations HTTP/1.1\r\nContent Length: 1\r\n\r\n1",
    ],
)
def test_what_isnt_http_is_refused_and_never_asked(request_):
    async def test(site):
        async with site.connection() as (reader, writer):
            writer.write(request_)
            said = await asyncio.wait_for(reader.read(), 5)
            return said, site.echo.asked

    assert run(test)[0].startswith(b"HTTP/1.1 400")
    assert run(test)[1] == []


def test_plain_after_not_plain_on_one_connection():
    ping = b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n"
    assert [status for status, _ in ask(post(b"1"), ping, post(b"2"), answers=3)] == [200] * 3


def test_errors_are_told_and_the_connection_lives_on():
    found = ask(post(b"bad"), post(b"odd"), post(b"5"), answers=3)
    assert found[0] == (400, b'{"error": "bad row", "row": 1}')
    assert found[1] == (500, b'{"error": "odd", "type": "ValueError"}')
    assert found[2] == (200, b"5")


def test_a_stop_answers_what_is_in_flight_and_closes_what_is_idle():
    async def test(site):
        async with site.connection() as (reader, writer), site.connection() as (idle, other):
            other.write(post(b"1"))
            await answer(idle)
            writer.write(post(b"slow"))
            await asyncio.sleep(0.05)
            for one in list(site.server.server_state.connections):
                one.shutdown()
            assert await asyncio.wait_for(idle.read(), 1) == b""
            status, body, head = await answer(reader)
            assert (status, body) == (200, b"slow")
            assert b"connection: close" in head
            assert await reader.read() == b""
            assert not site.server.server_state.connections

    run(test)


def test_who_doesnt_read_answers_gets_no_more_requests_read():
    async def test(site):
        async with site.connection() as (reader, writer):
            for _ in range(400):
                writer.write(post(b"w" * 50_000))
            await asyncio.sleep(0.5)
            asked = len(site.echo.asked)
            assert asked < 400
            for _ in range(400):
                assert (await answer(reader))[:2] == (200, b"w" * 50_000)

    run(test)


def test_answers_are_counted():
    async def test(site):
        async with site.connection() as (reader, writer):
            for body in (b"1", b"bad", b"odd"):
                writer.write(post(body))
                await answer(reader)
        return site.counters.text()

    text = run(test)
    for status in ("2xx", "4xx", "5xx"):
        assert f'sagedock_invocations_total{{status="{status}"}} 1' in text
