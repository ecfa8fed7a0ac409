"""Whatever comes on a connection: answers that are HTTP, or its end; soon, and no fault of ours."""

import contextlib
import re
import socket
import sys
import time
import traceback
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sagedock.server.http import Listener
from sagedock.server.messages import Request, Response, TooLargeError

LIMIT = 8.0
HEALTH = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
ANSWER = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n")


def echo(request: Request) -> Response:
    """Answers with what it was sent, as services read it: some all of it, some nothing."""
    if request.path.startswith("/unread"):
        return Response(status=403, body=b"no")
    try:
        return Response(body=request.path.encode("latin-1") + b"|" + request.whole_body())
    except TooLargeError:
        return Response(status=413)


class Watched(Listener):
    """Remembers what its handlers raise."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        super().__init__(("127.0.0.1", 0), echo)

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            self.faults.append(traceback.format_exc())


@pytest.fixture(scope="module")
def listener() -> Iterator[Watched]:
    listener = Watched()
    listener.start()
    yield listener
    listener.shutdown()
    listener.server_close()


@pytest.fixture
def port(listener: Watched) -> int:
    return listener.server_port


def said(port: int, *pieces: bytes) -> bytes:
    """All that comes back until the server ends the connection, which it has to, soon."""
    begun, found = time.monotonic(), b""
    with socket.create_connection(("127.0.0.1", port), LIMIT) as connection:
        with contextlib.suppress(OSError):  # the server may have ended it already
            for piece in pieces:
                connection.sendall(piece)
            connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while data := connection.recv(1 << 16):
                found += data
    assert time.monotonic() - begun < LIMIT, pieces
    return found


def statuses(answers: bytes) -> list[int]:
    """Of answers whose bodies have no head of an answer in them."""
    return [int(match.group(1)) for match in ANSWER.finditer(answers)]


LINES = st.one_of(
    st.sampled_from([
        b"GET / HTTP/1.1", b"POST /a HTTP/1.1", b"GET / HTTP/1.0", b"GET /", b"GET", b"", b" ",
        b"/",
        b"GET / HTTP/2.0", b"GET / HTTP/9.9", b"GET / HTTP/1.1.1", b"GET / HTTP/x",
        b"GET / http/1.1",
        b"GET  / HTTP/1.1", b"GET / / HTTP/1.1", b"\x00 / HTTP/1.1", b"GET \xff HTTP/1.1",
        b"POST /",
        b"GET http://localhost/a HTTP/1.1", b"GET http:// HTTP/1.1", b"GET http://[::1 HTTP/1.1",
        b"GET https://a:b@c:99999/../x?y HTTP/1.1", b"CONNECT localhost:1 HTTP/1.1",
        b"GET * HTTP/1.1",
        b"OPTIONS * HTTP/1.1", b"__INIT__ / HTTP/1.1", b"GET /%00 HTTP/1.1", b"GET //x HTTP/1.1",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1", b"PRI * HTTP/2.0", b"\x16\x03\x01\x02\x00\x01\x00",
        b"POST /unread HTTP/1.1", b"HEAD / HTTP/1.1",
    ]),
    st.binary(max_size=30),
)  # fmt: skip
FIELDS = st.one_of(
    st.sampled_from([
        b"Host: localhost", b"Host:", b"Content-Length: 5", b"Content-Length: 0",
        b"Content-Length: -1",
        b"Content-Length: +5", b"Content-Length: 5, 5", b"Content-Length: 6",
        b"Content-Length: 0x5",
        b"Content-Length: 1_0", b"Content-Length: " + b"9" * 30, b"Content-Length: " + b"9" * 5000,
        b"Content-Length: \xb2", b"Content-Length:", b"Content-Length : 5", b" Content-Length: 5",
        b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: x",
        b"Transfer-Encoding: identity", b"Transfer-Encoding:",
        b"Transfer-Encoding: chunked, chunked",
        b"Expect: 100-continue", b"Expect: nothing", b"Connection: close",
        b"Connection: keep-alive",
        b"Connection: Upgrade", b"Upgrade: h2c", b"X: " + b"a" * 70_000, b"no colon", b": x",
        b"\tx",
        b"X: \x00", b"X: \xff", b"X:a\rY:b", b"X\x00: a",
    ]),
    st.binary(max_size=20),
)  # fmt: skip
BODIES = st.one_of(
    st.sampled_from([
        b"", b"hello", b"5\r\nhello\r\n0\r\n\r\n", b"5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n",
        b"0\r\n\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n", b"+5\r\nhello\r\n0\r\n\r\n", b"0x5\r\nhello\r\n0\r\n\r\n",
        b"1_0\r\nhellohellohello!\r\n0\r\n\r\n", b"5\r\nhelloX\r\n0\r\n\r\n", b"5\r\nhel", b"5",
        b"f" * 20 + b"\r\nhello\r\n", b"f" * 70_000, b"\r\n\r\n", b"zz\r\n", b"5\nhello\n0\n\n",
        b"0\r\n",
        b"0\r\n" + b"X: y\r\n" * 5_000,
    ]),
    st.binary(max_size=40),
)  # fmt: skip


@settings(max_examples=500)
@given(line=LINES, fields=st.lists(FIELDS, max_size=5), body=BODIES, cut=st.integers(0, 400))
@example(line=b"GET / HTTP/2.0", fields=[], body=b"", cut=400)
@example(line=b"POST / HTTP/1.1", fields=[b"Transfer-Encoding: chunked"], cut=400,
         body=b"1_0\r\nhellohellohello!\r\n0\r\n\r\n")  # fmt: skip
def test_anything_that_comes(listener: Watched, line, fields, body, cut) -> None:
    sent = b"\r\n".join((line, *fields, b"", b"")) + body
    answers = said(listener.server_port, sent if cut > 300 else sent[:cut])
    assert all(100 <= status < 500 for status in statuses(answers)), answers
    assert b"<html" not in answers.lower()
    assert listener.faults == []
    assert statuses(said(listener.server_port, HEALTH)) == [200]


@settings(max_examples=100)
@given(count=st.integers(1, 30), size=st.integers(0, 3000), chunked=st.booleans(),
       pieces=st.integers(1, 5), last=st.sampled_from([b"", b"GET", b"\x00\r\n\r\n"]))  # fmt: skip
def test_requests_one_after_another(listener: Watched, count, size, chunked, pieces, last) -> None:
    """Each gets its own answer, in order, however they come; what is broken ends it."""
    body = b"x" * size
    coded = (b"%x\r\n%b\r\n" % (size, body) if size else b"") + b"0\r\n\r\n"
    field = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % size
    sent = b"".join(
        b"POST /%d HTTP/1.1\r\nHost: localhost\r\n%b\r\n\r\n%b"
        % (n, field, coded if chunked else body)
        for n in range(count)
    )
    step = len(sent) // pieces + 1
    answers = said(
        listener.server_port, *(sent[at : at + step] for at in range(0, len(sent), step)), last
    )
    found = [int(number) for number in re.findall(rb"\r\n\r\n/(\d+)\|", answers)]
    assert found == list(range(count))
    assert answers.count(b"x" * size) >= count


REFUSED = [
    b"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1_0\r\nhellohellohello!\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-0\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 1_0\r\n\r\nhellohello",
    b"POST / HTTP/1.1\r\nContent-Length : 5\r\n\r\nhello",
    b"GET / HTTP/2.0\r\n\r\n",
]  # fmt: skip


@pytest.mark.parametrize("sent", REFUSED)
def test_what_two_readers_could_read_differently_ends_the_connection(
    port: int, sent: bytes
) -> None:
    answers = said(port, sent, HEALTH)
    assert statuses(answers) == [400], answers
