"""What is read of a proxy's requests: a narrow form, whatever comes."""

import contextlib
import socket
import ssl
import threading

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from proxy_kit import Net, Remembering, all_of, ask, proxying

from sagedock.server.proxy import hello
from sagedock.server.proxy.bodies import BodyError, Chunked, Closing, framing_of
from sagedock.server.proxy.heads import LIMIT, BadHeadError, parse, receive
from sagedock.server.proxy.relay import IdleError


def head(text: str):
    return parse(text.encode("latin-1") + b"\r\n\r\n")


@pytest.mark.parametrize(
    ("line", "host", "port", "path"),
    [
        ("CONNECT a.b:443 HTTP/1.1", "a.b", 443, ""),
        ("CONNECT [::1]:8443 HTTP/1.0", "::1", 8443, ""),
        ("CONNECT s3.amazonaws.com.:443 HTTP/1.1", "s3.amazonaws.com.", 443, ""),
        ("GET http://a.b/c?d#e HTTP/1.1", "a.b", 80, "/c?d"),
        ("GET HTTP://A.B:81 HTTP/1.1", "A.B", 81, "/"),
        ("GET http://a.b?q=http://c/ HTTP/1.1", "a.b", 80, "/?q=http://c/"),
        ("M-SEARCH http://[::1]:80/ HTTP/1.1", "::1", 80, "/"),
    ],
)
def test_who_is_meant(line, host, port, path):
    found = head(line)
    assert (found.host, found.port, found.path) == (host, port, path)


@pytest.mark.parametrize(
    "line",
    [
        "", "CONNECT", "CONNECT a HTTP/1.1", "CONNECT a:0 HTTP/1.1", "CONNECT a:65536 HTTP/1.1",
        "CONNECT a:443 HTTP/2", "CONNECT  a:443 HTTP/1.1", "CONNECT a:443x HTTP/1.1",
        "CONNECT a:44\u00b2 HTTP/1.1", "CONNECT http://a:443 HTTP/1.1", "CONNECT a/b:443 HTTP/1.1",
        "CONNECT evil@s3.amazonaws.com:443 HTTP/1.1", "CONNECT s3%2eamazonaws.com:443 HTTP/1.1",
        "CONNECT s3.amazonaws.com\t:443 HTTP/1.1", "CONNECT :443 HTTP/1.1", "GET / HTTP/1.1",
        "GET https://a/ HTTP/1.1", "GET ftp://a/ HTTP/1.1", "GET http:///x HTTP/1.1",
        "GET http://u@s3.amazonaws.com@evil/ HTTP/1.1", "GET http://u:p@a/ HTTP/1.1",
        "GET http://a\\@b/ HTTP/1.1", "GET http://[::1/ HTTP/1.1", "GET http://a:x/ HTTP/1.1",
        "GET http://a/ HTTP/1.1\r\nfield", "GET http://a/ HTTP/1.1\r\n folded: x",
        "GET http://a/ HTTP/1.1\r\na b: x", "GET http://a/ HTTP/1.1\r\na: x\ny: z",
        "GET http://a/ HTTP/1.1\nHost: b", "GET http://a/\x00 HTTP/1.1",
    ],
)  # fmt: skip
def test_all_else_is_refused(line):
    with pytest.raises(BadHeadError):
        head(line)


@given(st.binary(max_size=300))
@example(b"CONNECT \xff:443 HTTP/1.1\r\n\r\n")
def test_parsing_raises_nothing_else(data):
    for raw in (data, b"CONNECT " + data + b" HTTP/1.1\r\n\r\n", b"GET http://" + data):
        try:
            found = parse(raw)
        except BadHeadError:
            continue
        assert "\n" not in found.host + found.path
        assert found.onward(to_proxy=True).count(b"\r\n\r\n") == 1


@settings(max_examples=60)
@given(
    st.binary(max_size=200), st.sampled_from([b"CONNECT ", b"GET http://", b"", b"\x16\x03\x01"])
)
def test_nothing_that_is_sent_ends_the_proxy(shared_proxy, data, begin):
    """Each gets an answer, or is let go; the next one is served as ever."""
    port, net = shared_proxy
    answer = all_of_half(port, begin + data + b" HTTP/1.1\r\n\r\n")
    assert answer == b"" or answer.startswith(b"HTTP/1.1 ")
    assert not any("amazonaws" in host for host, _ in net.asked)
    assert b" 200 " in all_of(ask(port, "GET http://sts.amazonaws.com/ HTTP/1.1\r\n\r\n"))


def all_of_half(port: int, data: bytes) -> bytes:
    connection = ask(port, data)
    connection.shutdown(socket.SHUT_WR)
    try:
        return all_of(connection)
    except ConnectionError:
        return b""


@pytest.fixture(scope="module")
def shared_proxy(tmp_path_factory):
    net = Net()
    with proxying(Remembering(), tmp_path_factory.mktemp("ca"), dial=net, idle=5) as port:
        yield port, net


@pytest.mark.parametrize("sizes", [[1] * 60, [17, 2], [40, 1, 1], [1000]])
def test_a_head_is_read_to_its_end_and_no_further(sizes):
    left, right = socket.socketpair()
    raw, rest = b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", b"\x16\x03\x01"
    with left, right:
        left.settimeout(5)
        right.sendall(raw + rest)
        assert receive(left) == raw
        assert left.recv(10) == rest
        done = []
        reader = threading.Thread(target=lambda: done.append(receive(left)))
        reader.start()
        position = 0
        for size in [*sizes, len(raw)]:
            right.sendall(raw[position : position + size])
            position += size
        reader.join(5)
        assert done == [raw]


def test_a_head_that_does_not_end_is_refused():
    left, right = socket.socketpair()
    with left, right:
        left.settimeout(5)
        right.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LIMIT * 4)
        right.sendall(b"x" * (LIMIT + 10))
        with pytest.raises(BadHeadError, match="too long"):
            receive(left)


# bodies


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_the_end_of_a_chunked_body_is_found(step):
    body = b"5\r\nhello\r\nA;ext=1\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n"
    data = body + b"GET http://next/ HTTP/1.1"
    framing, passed = Chunked(), b""
    for position in range(0, len(data), step):
        passed += framing.feed(data[position : position + step])
    assert framing.done
    assert passed == body


@pytest.mark.parametrize("data", [b"x\r\n", b"\r\n", b"-1\r\n", b"0x5\r\n", b"1" * 5000])
def test_chunks_that_are_none(data):
    with pytest.raises(BodyError):
        Chunked().feed(data)


@pytest.mark.parametrize(
    "fields",
    ["Content-Length: -1", "Content-Length: 1\r\nContent-Length: 2", "Transfer-Encoding: gzip",
     "Transfer-Encoding: chunked\r\nContent-Length: 3", "Content-Length: 1x"],
)  # fmt: skip
def test_bodies_whose_end_is_unclear(fields):
    with pytest.raises(BodyError):
        framing_of(head(f"POST http://a/ HTTP/1.1\r\n{fields}"))


@pytest.mark.parametrize("step", [1, 5, 1000])
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nA: b\r\n\r\nbody\r\n\r\n",
         b"HTTP/1.1 200 OK\r\nA: b\r\nConnection: close\r\n\r\nbody\r\n\r\n"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\nA: b\r\n\r\n",
         b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\nA: b\r\nConnection: close\r\n\r\n"),
        (b"no http at all", b"no http at all"),
        (b"HTTP/1.1 200 OK\r\ncut", b"HTTP/1.1 200 OK\r\ncut"),
        (b"HTTP/1.1 200 " + b"x" * (LIMIT + 9), b"HTTP/1.1 200 " + b"x" * (LIMIT + 9)),
    ],
)  # fmt: skip
def test_an_answer_says_that_it_is_the_last(data, expected, step):
    step = max(step, len(data) // 100)
    closing, passed = Closing(), b""
    for position in range(0, len(data), step):
        passed += closing.feed(data[position : position + step])
    assert passed + closing.end() == expected


# the first message of TLS


def client_hello(name: str | None) -> bytes:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    context.check_hostname = name is not None
    made = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        made.do_handshake()
    return outgoing.read()


@pytest.mark.parametrize("name", ["sts.us-east-1.amazonaws.com", "a" * 60 + ".example.org", None])
def test_the_name_in_a_hello(name):
    data = client_hello(name)
    assert hello.server_name(data) == name
    assert hello.server_name(data + b"more") == name
    for size in range(1, len(data)):
        with pytest.raises(hello.IncompleteError):
            hello.server_name(data[:size])


def test_a_hello_in_two_records():
    data = client_hello("s3.amazonaws.com")
    version, body = data[1:3], data[5:]
    parts = [body[:40], body[40:41], body[41:]]
    cut = b"".join(b"\x16" + version + len(part).to_bytes(2) + part for part in parts)
    assert hello.server_name(cut) == "s3.amazonaws.com"


@given(st.binary(max_size=200), st.integers(0, 511), st.binary(min_size=1, max_size=4))
def test_no_bytes_are_too_odd_to_be_looked_at(data, place, patch):
    good = bytearray(client_hello("s3.amazonaws.com"))
    good[place : place + len(patch)] = patch
    for text in (data, b"\x16\x03\x01" + data, bytes(good)):
        with contextlib.suppress(hello.IncompleteError):
            hello.server_name(text)


def test_a_hello_that_is_never_complete_is_not_passed_on():
    left, right = socket.socketpair()
    other, far = socket.socketpair()
    with left, right, other, far:
        left.settimeout(1)
        right.sendall(client_hello("s3.amazonaws.com")[:100])
        with pytest.raises(IdleError):
            hello.peeked_name(left, other, 0.1)
